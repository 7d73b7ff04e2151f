worklets models traffic irises
worklets models split irises 2.0.0=25
worklets models traffic irises --differences
worklets models split irises --clear
worklets models shadow irises --clear
worklets models promote irises 2.0.0
