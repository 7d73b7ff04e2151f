"""Check that a callback comes from your worklets server."""
# --8<-- [start:verify]
import base64
import hashlib
import hmac
import json
import time


def verified(headers, body: bytes, key: str) -> dict:
    """The message of a callback; ValueError if it isn't from the server, or too old."""
    moment = headers["webhook-timestamp"]
    if abs(time.time() - int(moment)) > 300:
        raise ValueError("the callback is too old")
    signed = f"{headers['webhook-id']}.{moment}.".encode() + body
    secret = base64.b64decode(key.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    if not hmac.compare_digest(headers["webhook-signature"], f"v1,{expected}"):
        raise ValueError("the callback is not from the server")
    return json.loads(body)
# --8<-- [end:verify]


if __name__ == "__main__":
    forged = {"webhook-id": "1", "webhook-timestamp": str(int(time.time())), "webhook-signature": "v1,AAAA"}
    try:
        verified(forged, b"{}", "whsec_" + base64.b64encode(b"k" * 32).decode())
    except ValueError as error:
        print(error)
