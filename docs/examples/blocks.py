"""Blocks: what a flow needs to reach the server, the database and the brokers."""
# --8<-- [start:flow]
from prefect import flow

from prefect_worklets import WorkletsServer


@flow
def nightly(flowers: list[dict[str, list[float]]]) -> list[str]:
    client = WorkletsServer.load("here").get_client()
    return [client.worklets["classify"].invoke(**flower)["species"] for flower in flowers]
# --8<-- [end:flow]


# --8<-- [start:cluster]
import prefect_worklets as pw

server = pw.WorkletsServer(url="http://127.0.0.1:8700", key="a key of the server")
cluster = pw.KafkaCluster(bootstrap_servers=["localhost:9092"])
# server.save("here")    keeps it in Prefect, the key encrypted
print(server.key, cluster.get_settings())
# --8<-- [end:cluster]
