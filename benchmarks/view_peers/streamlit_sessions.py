"""Open so many sessions of the Streamlit app, each run once, and hold them until standard input ends."""

import asyncio
import sys

import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

url, number = sys.argv[1].replace("http", "ws", 1) + "/_stcore/stream", int(sys.argv[2])


async def begin() -> websockets.ClientConnection:
    connection = await websockets.connect(url, origin=sys.argv[1], subprotocols=["streamlit"], max_size=None)
    message = BackMsg()
    message.rerun_script.query_string = ""
    await connection.send(message.SerializeToString())
    while True:
        told = ForwardMsg()
        told.ParseFromString(await connection.recv())
        if told.WhichOneof("type") == "script_finished":
            return connection


async def main() -> None:
    held = [await begin() for _ in range(number)]
    print(len(held), flush=True)
    await asyncio.to_thread(sys.stdin.read)


asyncio.run(main())
