worklets push flowers
