worklets diff gross_amount 1 2
