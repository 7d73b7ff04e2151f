from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NewType, TypedDict

import pytest
from prefect_worklets.connectors.errors import BadInput, DefinitionError
from prefect_worklets.flows.checks import check
from prefect_worklets.flows.documents import read_document
from prefect_worklets.flows.hints import cannot_fit
from prefect_worklets.flows.nodes import node
from prefect_worklets.flows.triggers import cron, kafka
from prefect_worklets.flows.worklet import worklet
from pydantic import BaseModel


class Dog(BaseModel):
    name: str


class Puppy(Dog):
    age: int = 0


class Cat(BaseModel):
    name: str


class Row(TypedDict):
    a: int


UserId = NewType("UserId", int)


@node
def feed(dog: Dog, amount: int = 1) -> Dog:
    return dog


@node
def number(a: int) -> int:
    return a


@node
def free(value, other=None):
    return value


def faults_of(define: Any) -> list[Any]:
    with pytest.raises(DefinitionError) as caught:
        worklet(define)
    return list(caught.value.faults)


# --- calls ------------------------------------------------------------------------------------------------


def missing(dog: Dog) -> Dog:
    return feed()


def extra(dog: Dog) -> Dog:
    return feed(dog, 1, 2)


def misspelt(dog: Dog) -> Dog:
    return feed(dog, amout=2)


def twice(dog: Dog) -> Dog:
    return feed(dog, dog=dog)


def wrong_type(cat: Cat) -> Dog:
    return feed(cat)


def wrong_constant(dog: Dog) -> Dog:
    return feed(dog, "many")


def no_json(dog: Dog) -> Any:
    return free(dog, {1, 2})


def infinite(dog: Dog) -> Any:
    return free(dog, float("nan"))


def unused(dog: Dog) -> Dog:
    number(1)
    return feed(dog)


def wrong_result(dog: Dog) -> Cat:
    return feed(dog)


@pytest.mark.parametrize(
    ("define", "message", "fix"),
    [
        (missing, "its parameter 'dog' is missing.", "it is feed(dog, amount)"),
        (extra, "it is given 3 arguments and takes 2.", "it is feed(dog, amount)"),
        (misspelt, "it has no parameter 'amout'.", "Did you mean 'amount'?"),
        (twice, "its parameter 'dog' is given twice.", "it is feed(dog, amount)"),
        (wrong_type, "its parameter 'dog' is a Dog, and cat is a Cat.", "put a node between"),
        (wrong_constant, "the constant 'many' is not", None),
        (no_json, "'other' is given a set, which can't stand in a definition.", "inside a node"),
        (infinite, "'other' is given the number nan", "inside a node"),
        (unused, "nobody uses its value.", "return it"),
        (wrong_result, "its result is Cat, and feed(...) is Dog.", "return type"),
    ],
)
def test_a_fault_names_node_file_line_and_fix(define: Any, message: str, fix: str | None) -> None:
    (fault,) = faults_of(define)
    assert message in fault.msg
    assert fault.file == __file__
    assert define.__code__.co_firstlineno <= fault.line <= define.__code__.co_firstlineno + 3 or "nobody" in message
    if fix:
        assert fix in fault.fix


def test_all_faults_are_told_at_once() -> None:
    def many(dog: Dog, cat: Cat) -> Dog:
        feed(cat)
        free(dog, {1})
        return feed(dog, amout=1)

    found = faults_of(many)
    assert [fault.node for fault in found] == ["feed", "free", "feed_2"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "no spaces"}, "isn't letters"),
        ({"timeout": -1}, "timeout is -1"),
        ({"triggers": ["daily"]}, "is no trigger"),
    ],
)
def test_options_are_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        worklet(**options)(lambda a: number(a))


def test_a_worklets_head_is_checked() -> None:
    async def waiting(a: int) -> int:
        return number(a)

    def variadic(*values: int) -> int:
        return number(1)

    def unknown(a: Nowhere) -> int:  # noqa: F821
        return number(1)

    assert "async" in faults_of(waiting)[0].msg
    assert "*args" in faults_of(variadic)[0].msg
    assert "'Nowhere'" in faults_of(unknown)[0].msg


@pytest.mark.parametrize(
    ("options", "message"),
    [({"retries": -1}, "retries"), ({"timeout": 0}, "timeout"), ({"backoff": -2.0}, "backoff")],
)
def test_a_nodes_options_are_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        node(**options)(lambda: 1)


def test_a_generator_is_no_node() -> None:
    with pytest.raises(DefinitionError, match="return a list"):

        @node
        def many():
            yield 1


# --- types ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "wanted", "misfit"),
    [
        (int, str, True),
        (int, float, False),
        (bool, int, False),
        (float, int, True),
        (Puppy, Dog, False),
        (Dog, Puppy, False),
        (Dog, Cat, True),
        (Any, Dog, False),
        (Dog, Any, False),
        (Dog, object, False),
        (Dog | None, Dog, False),
        (Cat | None, Dog, True),
        (Cat | Dog, Dog | int, False),
        (list[int], list[str], True),
        (list[int], list[float], False),
        (list[int], Sequence[int], False),
        (list[Dog], list[Any], False),
        (dict[str, int], Row, False),
        (Row, list[int], True),
        (UserId, int, False),
        (UserId, str, True),
        (Literal["a", "b"], str, False),
        (Literal["a", 1], int, False),
        (None, int, True),
        (tuple[int, int], list[int], True),
    ],
)
def test_only_what_certainly_cannot_fit_is_flagged(given: Any, wanted: Any, misfit: bool) -> None:
    assert cannot_fit(given, wanted) is misfit


# --- documents made by hand -------------------------------------------------------------------------------


def document(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "version": 1,
        "name": "hand",
        "inputs": [{"name": "a"}],
        "nodes": [
            {"id": "one", "function": "m:one", "arguments": {"x": {"input": "a"}}},
            {"id": "two", "kind": "model", "settings": {"model": "m"}, "arguments": {"inputs": {"node": "one"}}},
        ],
        "output": {"node": "two", "path": [{"item": 0}]},
    }
    return base | changes


def test_a_sound_document_is_read() -> None:
    assert check(read_document(document())) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 2}, "version"),
        ({"nodes": "none"}, "nodes"),
        ({"output": {"node": "tow"}}, "the output takes the node 'tow', which does not exist. (Did you mean 'two'?)"),
        ({"output": {"input": "b"}}, "the output takes the input 'b', which does not exist."),
        ({"body": "c"}, "body names the input 'c'"),
        ({"inputs": [{"name": "a"}, {"name": "a"}]}, "2 inputs have the name 'a'"),
    ],
)
def test_a_wrong_document_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        read_document(document(**changes))
    assert message in str(caught.value)


def test_rings_duplicates_and_kinds_are_told_together() -> None:
    nodes = [
        {"id": "a", "function": "m:a", "arguments": {"x": {"node": "b"}}},
        {"id": "b", "function": "m:b", "arguments": {"x": {"list": [{"node": "a"}]}}},
        {"id": "c", "kind": "review", "arguments": {}},
        {"id": "d", "kind": "save", "arguments": {}},
        {"id": "e"},
        {"id": "e", "function": "m:e"},
    ]
    with pytest.raises(DefinitionError) as caught:
        read_document(document(nodes=nodes, output={"node": "b"}))
    text = str(caught.value)
    for part in (
        "in a ring",
        "2 nodes have the id 'e'",
        "'row' is missing",
        "'table' is missing",
    ):
        assert part in text
    assert "names no function" in text


# --- triggers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", ["0 6 * *", "61 * * * *", "* 24 * * *", "* * 0 * *", ""])
def test_a_wrong_cron_line_is_refused(line: str) -> None:
    with pytest.raises(BadInput, match="cron trigger"):
        cron(line)


def test_triggers_stand_in_the_document() -> None:
    @worklet(triggers=[cron("*/5 6-8 * * mon", timezone="Europe/Berlin"), kafka("images", output="done")])
    def timed(a: int = 1) -> int:
        return number(a)

    assert [trigger.on for trigger in timed.graph.triggers] == ["cron", "kafka"]
    with pytest.raises(BadInput, match="Did you mean 'Europe/Berlin'"):
        cron("* * * * *", timezone="Europe/Belrin")
    with pytest.raises(BadInput):
        kafka("no topic")
