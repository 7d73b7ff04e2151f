run=$(worklets invoke gross_amount --later --json '{"price": 100}')
worklets runs replay "$run" --version 2 || echo "they differ"
