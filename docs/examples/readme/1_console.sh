worklets push . && python irises.py
worklets invoke classify --json '{"sepal": [5.1, 3.5], "petal": [1.4, 0.2]}'
