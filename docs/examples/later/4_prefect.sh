prefect deployment run 'tally/worklets' -p days=3 --watch
prefect flow-run ls --flow-name tally --limit 3
