"""What a worklet's function may not do, and what the message says."""
# --8<-- [start:wrong]
import prefect_worklets as pw


@pw.node
def measured(text: str) -> int:
    return len(text)


try:
    @pw.worklet
    def shout(text: str) -> int:
        if text:                       # the value is not there yet
            return measured(text)
        return 0
except pw.DefinitionError as error:
    print(error)
# --8<-- [end:wrong]

# --8<-- [start:right]
@pw.node
def measured_or_zero(text: str) -> int:
    return len(text) if text else 0


@pw.worklet
def shout(text: str) -> int:
    return measured_or_zero(text)


assert shout("hello") == 5
# --8<-- [end:right]
