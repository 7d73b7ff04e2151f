"""Views: the view document, its runtime, the Panel adapter and the console."""
