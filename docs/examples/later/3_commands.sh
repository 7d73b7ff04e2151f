id=$(worklets invoke report --json '{"days": 2}' --later)
worklets runs show "$id"
worklets schedules list
worklets schedules pause report 0
worklets schedules resume report 0
