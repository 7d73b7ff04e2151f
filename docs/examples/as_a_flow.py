"""A worklet is a Prefect flow."""
import prefect_worklets as pw


@pw.node
def cleaned(text: str) -> str:
    return " ".join(text.split())


@pw.node
def counted(text: str) -> int:
    return len(text.split(" "))


@pw.worklet(tags=["text"])
def words(text: str) -> int:
    """How many words a text has."""
    return counted(cleaned(text))


# --8<-- [start:flow]
words("a  worklet is a function")      # here and now, without Prefect
print(words.flow.name)                 # the same graph as a Prefect flow
print(list(words.flow.parameters.properties))
# words.flow("a  worklet is a flow")  runs it as a flow, with a task for each node
# words.flow.serve(name="here")       serves it
# --8<-- [end:flow]
