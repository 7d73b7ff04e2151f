worklets push . && python irises.py
