"""A worklet that calls another one."""
# --8<-- [start:call]
import prefect_worklets as pw


@pw.node
def with_tax(net: float, rate: float) -> float:
    return round(net * (1 + rate), 2)


@pw.worklet
def priced(net: float, rate: float = 0.2) -> float:
    return with_tax(net, rate)


@pw.node
def receipt(item: str, price: float) -> str:
    return f"{item}: {price:.2f}"


@pw.worklet
def sold(item: str, net: float) -> str:
    price = pw.call("priced")(net=net, rate=0.1)
    return receipt(item, price)
# --8<-- [end:call]
