worklets views shares stylize
worklets views unshare stylize "$(worklets views shares stylize --json | python -c "import json, sys; print(json.load(sys.stdin)[0][\"id\"])")"
