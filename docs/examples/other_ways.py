"""A case for each kind of parcel, and another way for when a step fails."""
# --8<-- [start:ways]
import prefect_worklets as pw


@pw.node(retries=1)
def price_of(item: str) -> dict:
    if item == "antique":
        raise LookupError("nobody has named a price")
    return {"net": 20}


@pw.node
def estimated(item: str, why: str) -> int:
    print(f"{item} is estimated, as {why}")
    return 100


@pw.node
def with_wrapping(price: int) -> int:
    return price + 5


@pw.worklet
def charge(item: str, kind: str = "parcel") -> int:
    price = pw.recover(price_of(item)["net"], lambda error: estimated(item, error))
    return pw.switch(kind, {"gift": lambda: with_wrapping(price), "sample": lambda: 0}, lambda: price)


print(charge("book"), charge("book", "gift"), charge("book", "sample"))
print(charge("antique", "gift"))
# --8<-- [end:ways]
