worklets invoke sold --json '{"item": "lamp", "net": 40}'
