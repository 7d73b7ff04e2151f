worklets push refunds
