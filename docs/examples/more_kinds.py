"""A decision, a map and the graph that they make."""
# --8<-- [start:kinds]
import prefect_worklets as pw


@pw.node
def words_of(text: str) -> list[str]:
    return text.split()


@pw.node
def is_long(words: list[str]) -> bool:
    return len(words) > 3


@pw.node
def shout(word: str, ending: str = "!") -> str:
    return word.upper() + ending


@pw.node
def join(words: list[str]) -> str:
    return " ".join(words)


@pw.worklet
def announce(text: str) -> str:
    words = words_of(text)
    return pw.decide(
        is_long(words),
        lambda: join(words),
        lambda: join(pw.map(shout, at_once=4)(words, ending="!!")),
    )


print(announce("doors are open"))
print(announce("the doors are open until nine"))
print([node.id for node in announce.graph.nodes])
# --8<-- [end:kinds]
