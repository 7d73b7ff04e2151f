worklets push shop
