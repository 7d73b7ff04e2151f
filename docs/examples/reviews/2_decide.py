"""Submit a run that waits for a person, decide, and get its result."""

import time

# --8<-- [start:decide]
import prefect_worklets as pw

client = pw.Client()
run = client.worklets["refund"].submit(customer="Ada", amount=250, reason="It never came.")
# --8<-- [end:decide]
while run.state != "waiting":
    time.sleep(0.1)
# --8<-- [start:answer]
print(run.state)
review = next(each for each in client.reviews.list(worklet="refund") if each["run"] == run.id)
print(review["title"], client.reviews.get(review["id"])["value"])
client.reviews.decide(review["id"], {"approved": True})
print(run.result(timeout=60))
# --8<-- [end:answer]
