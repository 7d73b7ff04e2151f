worklets push prices
sed -i -e 's/1.07/1.19/' -e 's/@pw.node/@pw.node(retries=2)/' prices/prices.py
worklets push prices --draft
worklets invoke gross_amount --json '{"price": 100}'
worklets invoke gross_amount@2 --json '{"price": 100}'
