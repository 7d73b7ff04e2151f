"""Open so many sessions of the Gradio app, each with one answer, and hold them until standard input ends."""

import sys
from concurrent.futures import ThreadPoolExecutor

from gradio_client import Client

url, number = sys.argv[1], int(sys.argv[2])


def begin(_number: int) -> Client:
    client = Client(url, verbose=False, analytics_enabled=False)
    client.predict(api_name="/ask")
    return client


with ThreadPoolExecutor(8) as pool:
    held = list(pool.map(begin, range(number)))
print(len(held), flush=True)
sys.stdin.read()
