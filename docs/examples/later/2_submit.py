# --8<-- [start:submit]
import prefect_worklets as pw

client = pw.Client()
run = client.worklets["tally"].submit(days=30, idempotency_key="tally of June")
print(run.result(timeout=60))
print(run.state)
# --8<-- [end:submit]
