# --8<-- [start:submit]
import prefect_worklets as pw

client = pw.Client()
run = client.worklets["report"].submit(days=30, idempotency_key="report for June")
print(run.result(timeout=60))
print(run.state)
# --8<-- [end:submit]
