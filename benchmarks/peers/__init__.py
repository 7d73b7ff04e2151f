"""The same work done by hand, and by the tools that people use for it today."""
