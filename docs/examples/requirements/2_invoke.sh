worklets invoke number_in_words --json '{"number": 1234567}'
