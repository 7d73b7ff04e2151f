worklets models list
worklets models show irises
worklets models rollback irises
