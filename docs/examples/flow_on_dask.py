"""The items of a worklet's maps as Prefect tasks on Dask."""
import prefect_worklets as pw
from prefect_dask import DaskTaskRunner


@pw.node
def digits_of_power(exponent: int) -> int:
    return len(str(2**exponent))


@pw.worklet
def digits(exponents: list[int]) -> list[int]:
    return pw.map(digits_of_power, at_once=16)(exponents)


# --8<-- [start:flow]
on_dask = digits.flow.with_options(task_runner=DaskTaskRunner(address="tcp://scheduler:8786"))
# on_dask([10, 100, 1000])  works each item out on the cluster
# --8<-- [end:flow]
