"""Runs that wait for people."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from prefect_worklets.connectors.access import Principal, Role
from prefect_worklets.connectors.errors import Conflict, DefinitionError
from prefect_worklets.connectors.store import Store
from prefect_worklets.connectors.tables import TableRow
from prefect_worklets.flows.context import Services
from prefect_worklets.flows.documents import read_document
from prefect_worklets.flows.engine import Engine, new_run_id
from prefect_worklets.flows.graph_differences import graph_differences
from prefect_worklets.flows.importing import import_document
from prefect_worklets.flows.project import load_file
from prefect_worklets.flows.reviews import Reviews, has_open
from prefect_worklets.flows.submitted import SubmittedRuns
from pydantic import BaseModel
from sqlmodel import select

import prefect_worklets as pw


async def start(parts, name: str = "asking", x: int = 4) -> str:
    answer = await parts.submit(name, {"x": x})
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


async def test_a_decision_lets_the_run_go_on_where_it_was(parts):
    run = await start(parts)
    async with parts.working():
        (row,) = await parts.asked(run)
    assert parts.later._tasks == {}  # nothing holds it while it waits, and this process may end
    shown = (await parts.client.get(f"/api/reviews/{row['id']}", headers=parts.headers())).json()
    assert shown["value"] == {"item": "lamp", "net": 4}
    assert shown["schema"]["properties"].keys() == {"approved", "comment"}
    answer = await parts.decide(row["id"], {"approved": True, "comment": "good"})
    assert answer.status_code == 200
    assert {name: answer.json()[name] for name in ("state", "decided_by", "decision")} == {
        "state": "decided", "decided_by": "operator", "decision": {"approved": True, "comment": "good"},
    }  # fmt: skip
    async with parts.working():
        ended = await parts.ended(run)
    assert ended["output"] == "lamp: yes good"
    assert parts.begun("offer") == parts.begun("told") == 1
    assert {node["id"]: node["state"] for node in ended["nodes"]} == dict.fromkeys(
        ("offer", "review", "told"), "completed"
    )


async def test_rows_are_there_while_the_run_waits_and_stay_as_people_change_them(parts):
    run = await start(parts, "noting")

    def rows():
        with parts.registry.store.read() as session:
            return session.exec(select(TableRow).where(TableRow.table_name == "offers")).all()

    async with parts.working():
        (row,) = await parts.asked(run)
        (saved,) = rows()
        assert (saved.run_id, saved.data) == (run, {"item": "lamp", "net": 4})
        with parts.registry.store.session() as session:  # somebody edits it, as a table of a view does
            edited = session.get(TableRow, saved.id)
            edited.data, edited.run_id = {"item": "torch", "net": 5}, new_run_id()
            session.add(edited)
        await parts.decide(row["id"], {"approved": True})
        await parts.ended(run)
    assert [each.data for each in rows()] == [{"item": "torch", "net": 5}]


async def test_a_decision_counts_once(parts):
    run = await start(parts)
    async with parts.working():
        (row,) = await parts.asked(run)
        answers = await asyncio.gather(
            *(parts.decide(row["id"], {"approved": bool(n % 2)}, ("operator", "admin")[n % 2]) for n in range(8))
        )
        ended = await parts.ended(run)
    assert sorted(answer.status_code for answer in answers) == [200, *[409] * 7]
    won = next(answer.json() for answer in answers if answer.status_code == 200)
    assert ended["output"] == f"lamp: {'yes' if won['decision']['approved'] else 'no'}"
    lost = next(answer.json() for answer in answers if answer.status_code == 409)
    assert lost["detail"].startswith(f"{won['decided_by']} has decided this already, at 20")
    assert parts.begun("told") == 1


async def test_only_whom_it_is_for(parts):
    run = await start(parts, "pricing")
    async with parts.working():
        (row,) = await parts.asked(run)
        assert (await parts.decide(row["id"], {"euros": 3}, "viewer")).status_code == 403
        assert (await parts.decide(row["id"], {"euros": 3}, "operator")).status_code == 403
        listed = (await parts.client.get("/api/reviews", headers=parts.headers())).json()["reviews"]
        assert row["id"] not in [each["id"] for each in listed]
        wrong = await parts.decide(row["id"], {"euros": "much"}, "builder")
        assert wrong.status_code == 400
        assert wrong.json()["errors"][0]["loc"] == ["euros"]
        assert (await parts.decide(row["id"], {"euros": "3.5"}, "builder")).status_code == 200
        assert (await parts.ended(run))["output"] == 3.5
    assert (await parts.decide("0" * 32, {}, "builder")).status_code == 404


@pytest.mark.parametrize(
    ("name", "state", "output", "why"),
    [
        ("hurried", "completed", "lamp: no Nobody decided in time.", None),
        ("impatient", "timed-out", None, "nobody decided"),
    ],
)
async def test_when_the_time_has_passed(parts, name, state, output, why):
    run = await start(parts, name)
    parts.reviews.woken = parts.later.wake
    watching = asyncio.create_task(parts.reviews.watch())
    async with parts.working():
        ended = await parts.ended(run)
    watching.cancel()
    assert (ended["state"], ended["output"]) == (state, output)
    assert why is None or why in ended["error"]["detail"]
    (row,) = parts.reviews.of_run([run])
    late = await parts.decide(row.id, {"approved": True})
    assert late.status_code == 409
    assert "The time for this decision passed" in late.json()["detail"]


async def test_two_that_are_asked_side_by_side(parts):
    run = await start(parts, "two")
    async with parts.working():
        one, other = await parts.asked(run, 2)
        await parts.decide(one["id"], {"approved": True})
        (left,) = await parts.asked(run)
        assert left["id"] == other["id"]
        await parts.decide(other["id"], {"approved": False})
        assert sorted((await parts.ended(run))["output"]) == [False, True]
    assert parts.begun("offer") == 1


async def test_a_called_worklet_asks(parts):
    run = await start(parts, "calling")
    async with parts.working():
        (row,) = await parts.asked(run)
        assert (row["worklet"], row["run"] != run) == ("asking", True)
        await parts.decide(row["id"], {"approved": True})
        assert (await parts.ended(run))["output"] == "lamp: yes"
    assert parts.begun("offer") == 1


async def test_a_run_that_waits_can_be_cancelled(parts):
    run = await start(parts)
    async with parts.working():
        (row,) = await parts.asked(run)
        await parts.client.post(f"/api/runs/{run}/cancel", headers=parts.headers())
        assert (await parts.ended(run))["state"] == "cancelled"

        async def withdrawn() -> bool:
            return (await parts.decide(row["id"], {"approved": True})).status_code == 409

        for _ in range(200):
            if await withdrawn():
                break
            await asyncio.sleep(0.02)
    late = await parts.decide(row["id"], {"approved": True})
    assert "has ended" in late.json()["detail"]


async def test_a_decision_of_the_very_moment_is_not_missed(parts):
    """Decided after the node has looked, and before the run is put to sleep."""
    run = await start(parts)
    (claimed,) = parts.queue.claim("me", 1)
    live = parts.registry.version("asking", claimed.version)
    context = parts.later._engine.context("asking", claimed.version, run_id=run)
    execution = live.worklet.kept_execution(parts.later._engine, [4], context, parts.checkpoints)
    await execution.finish()
    assert execution.state == "suspended"
    (row,) = parts.reviews.of_run([run])
    await parts.decide(row.id, {"approved": True})
    assert not parts.queue.suspend("me", run, lambda session: has_open(session, run))
    assert parts.queue.get(run).state == "queued"


def test_nobody_waits_for_a_person():
    @pw.worklet
    def now(x: int) -> Any:
        return pw.review()(x)

    with pytest.raises(Conflict, match="submit it as a run"):
        now(1)
    assert read_document(now.graph.model_dump(mode="json")) == now.graph
    with pytest.raises(DefinitionError):
        pw.review()(1)


class Price(BaseModel):
    euros: float


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"due": "soon"}, "due is 'soon'"), ({"due": -1}, "due is -1"), ({"role": "viewer"}, "its role is 'viewer'"),
        ({"on_due": "reject", "returns": Price}, "returns Price"),
        ({"on_due": {"euros": "x"}, "returns": Price}, "no Price"),
    ],
)  # fmt: skip
def test_faults_of_a_definition(options, said):
    with pytest.raises(DefinitionError) as caught:
        pw.review(**options)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("due", "seconds"), [("2d", 172_800), ("1.5h", 5_400), ("30m", 1_800), (90, 90), ("1w", 604_800)]
)
def test_times_as_people_write_them(due, seconds):
    assert pw.review(due=due)._definition.settings["due"] == seconds


CODE = """
from pydantic import BaseModel
import prefect_worklets as pw

class Price(BaseModel):
    euros: float

@pw.worklet
def priced(x: int) -> list:
    first = pw.review(title="What?", role="admin", due="2d", on_due={"euros": 1}, returns=Price, name="first")(x)
    return [first.euros, pw.review(on_due="approve")(x)]
"""


def test_a_review_comes_back_from_its_document(tmp_path):
    (tmp_path / "prices.py").write_text(CODE)
    graph = load_file(tmp_path / "prices.py").graph("priced")
    document = read_document(json.loads(graph.model_dump_json()) | {"name": "again"})
    again = load_file(import_document(document.model_dump(mode="json"), tmp_path)).graph("again")
    assert not graph_differences(document, again), graph_differences(document, again)


@pytest.mark.integration
async def test_a_decision_counts_once_in_postgresql(postgres_store_url):
    store = Store(postgres_store_url)
    reviews, queue = Reviews(store), SubmittedRuns(store)
    row, _ = queue.submit("asking", 1, b"{}", None)
    queue.claim("me", 1)
    context = Engine(services=Services(store=store)).context("asking", 1, run_id=row.id)

    async def ask(due: float | None, node: str) -> str:
        options: dict[str, Any] = {"role": "operator", "value": b"1", "schema": {}, "on_due": {"value": 2}}
        return (await reviews.ask(context, node, title="?", due_seconds=due, **options)).id

    id = await ask(None, "review")
    assert id == await ask(None, "review")
    assert queue.suspend("me", row.id, lambda session: has_open(session, row.id))
    people = [Principal(id=str(n), name=f"person {n}", role=Role.operator) for n in range(8)]

    def decide(who: Principal) -> bool:
        try:
            return reviews.decide(id, who, {"approved": True}).decided_by == who.id
        except Conflict:
            return False

    assert sum(await asyncio.gather(*(asyncio.to_thread(decide, who) for who in people))) == 1
    assert queue.get(row.id).state == "queued"
    await ask(0.001, "hurried")
    await asyncio.sleep(0.01)
    assert reviews.expire() == 1
    assert [(each.node, each.state, each.decision) for each in reviews.of_run([row.id])] == [
        ("review", "decided", {"approved": True}), ("hurried", "expired", 2),
    ]  # fmt: skip
    store.close()
