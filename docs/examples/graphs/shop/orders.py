"""An order becomes an invoice; a large one is saved as well."""

import prefect_worklets as pw
from pydantic import BaseModel


class Order(BaseModel):
    item: str
    price: float
    pieces: int = 1


@pw.node
def total(order: Order, discount: float = 0.0) -> float:
    return order.price * order.pieces * (1 - discount)


@pw.node(retries=2)
def is_large(total: float) -> bool:
    return total > 1000


@pw.node
def invoice_of(order: Order, total: float) -> dict[str, str | float]:
    return {"item": order.item, "total": total}


@pw.worklet(tags=["shop"])
def invoice(order: Order) -> dict[str, str | float]:
    sum = total(order, discount=0.1)
    made = invoice_of(order, sum)
    return pw.decide(is_large(sum), lambda: pw.save("large_orders")(made), lambda: made)
