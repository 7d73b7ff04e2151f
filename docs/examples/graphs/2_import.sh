worklets import invoice.json --code shop --output copied
