# --8<-- [start:pause]
import time

import prefect_worklets as pw

run = pw.Client().worklets["report"].submit(days=7)
run.pause()
while run.state != "paused":  # what is under way ends first
    time.sleep(0.1)
print(run.state)
run.resume()
print(run.result(timeout=60))
# --8<-- [end:pause]
