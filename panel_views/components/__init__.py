"""The Panel adapter: one class a component."""
