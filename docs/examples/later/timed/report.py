# --8<-- [start:slow]
import asyncio

import prefect_worklets as pw


@pw.node
async def gather(days: int) -> list[int]:
    await asyncio.sleep(2)
    return [day * 40 for day in range(1, days + 1)]


@pw.node
async def compare(orders: list[int]) -> dict[str, int]:
    await asyncio.sleep(1)
    return {"least": min(orders), "most": max(orders)}


@pw.worklet
def report(days: int = 7) -> dict[str, int]:
    """Two slow steps."""
    return compare(gather(days))


# --8<-- [end:slow]
