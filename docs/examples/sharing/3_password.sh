echo "open sesame" | worklets views share stylize --password --expires 4w --label "The jury"
