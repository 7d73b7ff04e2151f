worklets runs list
