worklets export shop/orders.py:invoice --output invoice.json   # or by its name, from the server
