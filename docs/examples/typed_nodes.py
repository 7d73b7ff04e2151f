"""A worklet of code alone: it needs no model and no server."""
# --8<-- [start:define]
from pydantic import BaseModel, Field

import prefect_worklets as pw


class Parcel(BaseModel):
    weight_kg: float = Field(gt=0, le=30)
    distance_km: float = Field(ge=0)
    express: bool = False


class Price(BaseModel):
    euros: float
    days: int


@pw.node
def base_price(parcel: Parcel) -> float:
    """Weight and way."""
    return 2.5 + 0.4 * parcel.weight_kg + 0.01 * parcel.distance_km


@pw.node
def delivery_days(express: bool) -> int:
    """How long it takes."""
    return 1 if express else 3


@pw.node(retries=2, timeout=5)
async def quoted(euros: float, days: int) -> Price:
    """Both together. Nodes may be async, and may have retries and a time limit."""
    return Price(euros=round(euros, 2), days=days)


@pw.worklet
def quote(parcel: Parcel) -> Price:
    """What a parcel costs."""
    return quoted(base_price(parcel), delivery_days(parcel.express))
# --8<-- [end:define]


# --8<-- [start:call]
price = quote(Parcel(weight_kg=2, distance_km=100))
assert price == Price(euros=4.3, days=3)
# --8<-- [end:call]

# --8<-- [start:graph]
for node in quote.graph.nodes:
    print(node.id, node.kind)
for earlier, later in quote.graph.edges:
    print(earlier, "->", later)
print(quote.graph.input_schema["required"])
# --8<-- [end:graph]

# --8<-- [start:fault]
try:
    quote({"weight_kg": 80, "distance_km": -1})
except pw.BadInput as error:
    print(error)
# --8<-- [end:fault]
