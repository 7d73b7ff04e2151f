sed -e 's/"orders:total"/"orders:totals"/' -e 's/"row"/"rows"/' -e 's/"node": "is_large"/"node": "is_lrage"/' invoice.json > broken.json
worklets import broken.json --code shop --output broken 2>&1 || true
