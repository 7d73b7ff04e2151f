"""A node that reads a secret."""
import os

import prefect_worklets as pw


# --8<-- [start:read]
@pw.node
def signed(text: str) -> dict[str, str]:
    token = pw.secret("WEATHER_TOKEN")
    return {"text": text, "authorization": f"Bearer {token}"[:8]}
# --8<-- [end:read]


@pw.worklet
def sign(text: str) -> dict[str, str]:
    return signed(text)


os.environ["WORKLETS_SECRET_WEATHER_TOKEN"] = "only for this call"
assert sign("hello")["authorization"] == "Bearer o"
