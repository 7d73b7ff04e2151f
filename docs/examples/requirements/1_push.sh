worklets push reading
