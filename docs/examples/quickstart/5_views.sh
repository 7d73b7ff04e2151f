worklets views list
