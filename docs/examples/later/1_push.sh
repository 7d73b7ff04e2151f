worklets push timed
