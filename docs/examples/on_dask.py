"""A map whose items are worked out on a Dask cluster."""
# --8<-- [start:map]
import prefect_worklets as pw


@pw.node
def digits_of_power(exponent: int, base: int = 2) -> int:
    return len(str(base**exponent))


@pw.worklet
def digits(exponents: list[int]) -> list[int]:
    return pw.map(digits_of_power, at_once=16, runner="dask")(exponents, base=3)


print(digits([10, 100, 1000]))  # called directly, the items stay in this process
# --8<-- [end:map]
