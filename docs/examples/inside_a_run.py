"""What a node can ask about its run."""
import prefect_worklets as pw


# --8<-- [start:ask]
@pw.node
def stamped(text: str) -> dict[str, str]:
    run = pw.context()
    run.logger.info("stamping %d characters", len(text))
    return {"text": text, "run": run.run_id, "worklet": run.worklet}
# --8<-- [end:ask]


@pw.worklet
def stamp(text: str) -> dict[str, str]:
    return stamped(text)


answer = stamp("hello")
assert answer["worklet"] == "stamp"
assert len(answer["run"]) == 32
