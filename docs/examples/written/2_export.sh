worklets views export square --python
