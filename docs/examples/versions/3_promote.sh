worklets promote gross_amount 2
worklets invoke gross_amount --json '{"price": 100}'
worklets rollback gross_amount
worklets versions gross_amount
