# --8<-- [start:timed]
import prefect_worklets as pw


@pw.node
def total(days: int) -> dict[str, int]:
    return {"days": days, "orders": 40 * days}


@pw.worklet(triggers=[pw.cron("0 6 * * *", timezone="Europe/Berlin", inputs={"days": 1})])
def tally(days: int = 7) -> dict[str, int]:
    return total(days)
# --8<-- [end:timed]
