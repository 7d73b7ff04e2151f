"""One saver and loader a framework."""
