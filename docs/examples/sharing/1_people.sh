worklets users add marie --role viewer
worklets users invite marie
