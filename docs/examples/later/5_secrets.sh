head -c 24 /dev/urandom | base64 | worklets secrets set WEATHER_TOKEN
worklets secrets list
worklets secrets remove WEATHER_TOKEN
