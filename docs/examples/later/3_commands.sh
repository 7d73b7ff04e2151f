id=$(worklets invoke tally --json '{"days": 2}' --later)
worklets runs show "$id"
worklets schedules list
worklets schedules pause tally 0
worklets schedules resume tally 0
