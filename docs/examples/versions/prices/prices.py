import prefect_worklets as pw


@pw.node
def with_tax(price: float) -> float:
    return round(price * 1.07, 2)


@pw.worklet
def gross_amount(price: float) -> float:
    return with_tax(price)
