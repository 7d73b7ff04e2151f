from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect_worklets.connectors.access import Access
from prefect_worklets.connectors.blanking import Blanks
from prefect_worklets.connectors.egress import Egress
from prefect_worklets.connectors.errors import WorkletsError
from prefect_worklets.connectors.files import FileStore
from prefect_worklets.connectors.layout import DataDirectory
from prefect_worklets.connectors.outgoing import Outgoing
from prefect_worklets.connectors.secrets import Secrets, secrets_cipher
from prefect_worklets.connectors.secrets_api import secrets_routes
from prefect_worklets.connectors.tables import Review
from prefect_worklets.connectors.web import Guard, problem_response
from prefect_worklets.flows import api, bundle
from prefect_worklets.flows.callbacks import Callbacks
from prefect_worklets.flows.calling import WorkletCalls
from prefect_worklets.flows.changes import Changes
from prefect_worklets.flows.checkpoints import Checkpoints
from prefect_worklets.flows.context import Services
from prefect_worklets.flows.engine import Engine
from prefect_worklets.flows.journal import Journal
from prefect_worklets.flows.later import LaterRuns
from prefect_worklets.flows.later_api import LaterApi
from prefect_worklets.flows.prefect_runs_api import PrefectRunsApi
from prefect_worklets.flows.recent import RecentRuns
from prefect_worklets.flows.registry import Registry
from prefect_worklets.flows.reviews import Reviews
from prefect_worklets.flows.reviews_api import ReviewsApi
from prefect_worklets.flows.run_nodes import RunNodes
from prefect_worklets.flows.schedules import Schedules
from prefect_worklets.flows.submitted import OPEN_STATES, SubmittedRuns
from prefect_worklets.flows.versions import WorkletVersions
from starlette.applications import Starlette

INTERNAL_KEY = "between-the-processes-of-these-tests"

# Counts how often each node began, in files that outlive a process.
PROJECT = """
import asyncio, os, time
from pathlib import Path
import prefect_worklets as pw

FOLDER = Path({folder!r})

def count(what):
    with open(FOLDER / what, "a") as file:
        file.write("x")

@pw.node
def first(x: int) -> int:
    count("first")
    return x + 1

@pw.node
async def second(x: int) -> int:
    count("second")
    for _ in range(600):
        if (FOLDER / "go").exists():
            break
        await asyncio.sleep(0.02)
    if (FOLDER / "break").exists():
        raise ValueError("no such luck")
    return x * 10

@pw.worklet
def steps(x: int = 1) -> int:
    "Two steps, the second of which waits for a file."
    return second(first(x))

@pw.worklet(triggers=[pw.cron("*/5 * * * *", timezone="Europe/Berlin", inputs={{"x": 7}}), pw.cron("0 6 * * 1")])
def timed(x: int = 1) -> int:
    return first(x)

@pw.node
def told(x: int) -> str:
    if x < 0:
        raise ValueError("the token " + pw.secret("TOKEN") + " is refused")
    return "the token is " + pw.secret("TOKEN")

@pw.worklet
def leaky(x: int) -> str:
    return told(x)

@pw.node
async def aloud(x: int) -> int:
    pw.context().logger.info("begun with %d", x)
    await second(x)
    pw.context().logger.error("<script>ended</script>")
    return x

@pw.worklet
def talking(x: int = 1) -> int:
    return aloud(first(x))

@pw.worklet(concurrency=2)
def few(x: int = 1) -> int:
    return second(x)

@pw.worklet
def kept(x: int) -> dict:
    return pw.save("numbers")({{"x": first(x)}})

@pw.node
def third(x: int) -> int:
    count("third")
    return x + 3

@pw.worklet
def three(x: int = 1) -> int:
    begun = first(x)
    return third(second(begun))

@pw.worklet
def around(x: int = 1) -> int:
    return third(pw.call("three")(x))

def stage(name):
    async def work(x: int) -> int:
        count(name)
        await asyncio.sleep(0.05)
        return x + 1
    return pw.node(name=name)(work)

a, b, c, d = map(stage, "abcd")

@pw.worklet
def stages(x: int = 1) -> dict:
    "A diamond, of which one node waits for a file, then a row."
    begun = a(x)
    ended = d(b(begun))
    return pw.save("stages")({{"c": c(begun), "d": ended, "e": second(ended)}})
"""


ASKING = """
from pydantic import BaseModel
import prefect_worklets as pw
from steps import count

class Price(BaseModel):
    euros: float

@pw.node
def offer(x: int) -> dict:
    count("offer")
    return {"item": "lamp", "net": x}

@pw.node
def told(verdict: pw.Decision, offered: dict) -> str:
    count("told")
    return f"{offered['item']}: {'yes' if verdict.approved else 'no'} {verdict.comment}".strip()

@pw.worklet
def asking(x: int = 1) -> str:
    offered = offer(x)
    return told(pw.review(title="Sell it?")(offered), offered)

@pw.worklet
def pricing(x: int = 1) -> float:
    return pw.review(title="What price?", role="builder", returns=Price)(offer(x)).euros

@pw.worklet
def hurried(x: int = 1) -> str:
    offered = offer(x)
    return told(pw.review(title="Quick?", due=0.05, on_due="reject")(offered), offered)

@pw.worklet
def impatient(x: int = 1) -> str:
    offered = offer(x)
    return told(pw.review(title="Quick?", due=0.05)(offered), offered)

@pw.worklet
def two(x: int = 1) -> list:
    return [pw.review(title="One?", name="one")(x).approved, pw.review(title="Two?", name="two")(offer(x)).approved]

@pw.worklet
def noting(x: int = 1) -> str:
    offered = pw.save("offers")(offer(x))
    return told(pw.review(title="Sell it?")(offered), offered)

@pw.worklet
def calling(x: int = 1) -> str:
    return pw.call("asking")(x)
"""


@dataclass
class Later:
    """The parts of submitted runs in this process."""

    folder: Path
    queue: SubmittedRuns
    registry: Registry
    schedules: Schedules
    checkpoints: Checkpoints
    journal: Journal
    recent: RecentRuns
    later: LaterRuns
    client: httpx.AsyncClient
    keys: dict[str, str]
    reviews: Reviews

    async def asked(self, run: str, count: int = 1) -> list[dict[str, Any]]:
        """The open reviews of a run, once there are so many and it has given its process back."""

        async def found() -> Any:
            answer = await self.client.get("/api/reviews?limit=500", headers=self.headers("admin"))
            rows = [row for row in answer.json()["reviews"] if self.root_of(row["id"]) == run]
            return rows if len(rows) == count and (await self.run(run))["state"] == "waiting" else None

        return await until(found)

    def root_of(self, review: str) -> str:
        with self.registry.store.read() as session:
            row = session.get(Review, review)
        assert row is not None
        return row.root_run

    async def decide(self, review: str, decision: Any, role: str = "operator") -> httpx.Response:
        return await self.client.post(f"/api/reviews/{review}/decide", json=decision, headers=self.headers(role))

    def begun(self, what: str) -> int:
        path = self.folder / what
        return len(path.read_text()) if path.exists() else 0

    def mark(self, what: str) -> None:
        (self.folder / what).touch()

    def headers(self, role: str = "operator") -> dict[str, str]:
        return {"authorization": f"Bearer {self.keys[role]}"}

    async def submit(self, name: str, json: Any, role: str = "operator", **headers: str) -> httpx.Response:
        return await self.client.post(
            f"/api/worklets/{name}/runs", json=json, headers={**self.headers(role), **headers}
        )

    async def run(self, id: str, role: str = "operator") -> dict[str, Any]:
        return (await self.client.get(f"/api/runs/{id}", headers=self.headers(role))).json()

    async def has_begun(self, what: str, times: int = 1) -> None:
        async def begun() -> bool:
            return self.begun(what) >= times

        await until(begun)

    async def ended(self, id: str, seconds: float = 20, role: str = "operator") -> dict[str, Any]:
        return await until(lambda: self._ended(id, role), seconds)

    async def _ended(self, id: str, role: str) -> Any:
        run = await self.run(id, role)
        return run if run["state"] not in OPEN_STATES else None

    async def in_state(self, id: str, state: str) -> dict[str, Any]:
        async def found() -> Any:
            run = await self.run(id)
            return run if run["state"] == state else None

        return await until(found)

    async def ask(self, id: str, what: str, status: int = 202) -> dict[str, Any]:
        """Pause, resume, cancel."""
        answer = await self.client.post(f"/api/runs/{id}/{what}", headers=self.headers())
        assert answer.status_code == status, answer.text
        return answer.json()

    @asynccontextmanager
    async def working(self) -> Any:
        task = asyncio.create_task(self.later.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def until(found: Callable[[], Any], seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while not (got := await found()):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    return got


def source(folder: Path) -> str:
    return PROJECT.format(folder=str(folder))


@pytest.fixture
async def parts(store, tmp_path):
    folder = tmp_path / "marks"
    folder.mkdir()
    tree = tmp_path / "source"
    tree.mkdir()
    (tree / "steps.py").write_text(source(folder))
    (tree / "asking.py").write_text(ASKING)
    access = Access(store, INTERNAL_KEY)
    keys = {role: access.create_key(role, role) for role in ("viewer", "operator", "builder", "admin")}
    guard = Guard(access)
    registry = Registry(store, tmp_path / "projects")
    registry.push(bundle.pack(tree), "demo", "me")
    secrets = Secrets(store, secrets_cipher(DataDirectory(tmp_path)))
    blanks = Blanks(lambda: secrets.values)
    journal, recent = Journal(tmp_path / "journal", blanks=blanks), RecentRuns(blanks=blanks)
    reviews, files = Reviews(store, blanks=blanks), FileStore(store, tmp_path / "files")
    calls = WorkletCalls(registry, journal, recent)
    services = Services(store=store, files=files, calls=calls, secrets=secrets, reviews=reviews)
    engine = Engine(services=services, timeout=60)
    queue = SubmittedRuns(store, lease_seconds=1.0)
    checkpoints = Checkpoints(tmp_path / "results")
    changes = Changes()
    callbacks = Callbacks(store, Outgoing(), b"k" * 32)
    later = LaterRuns(queue, registry, engine, checkpoints, journal, recent, at_once=4, changes=changes)
    schedules = Schedules(store, registry, queue)
    routes = [
        *api.routes(
            registry,
            guard,
            store,
            None,
            recent=recent,
            submitted=queue,
            nodes_of=later.nodes,
            changes=changes,
            callback_of=callbacks.of,
            run_nodes=RunNodes(store, WorkletVersions(store, tmp_path / "projects"), recent, later.details, blanks),
        ),
        *secrets_routes(guard, secrets),
        *PrefectRunsApi(registry, guard, queue, later, checkpoints).routes(),
        *ReviewsApi(reviews, registry, guard, files, later.wake).routes(),
        *LaterApi(
            registry,
            guard,
            store,
            queue,
            later,
            schedules,
            checkpoints,
            recent,
            check_url=Egress().check,
            callback_key=callbacks.shown_key,
        ).routes(),
    ]
    transport = httpx.ASGITransport(
        app=Starlette(routes=routes, exception_handlers={WorkletsError: lambda _, error: problem_response(error)})
    )
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield Later(folder, queue, registry, schedules, checkpoints, journal, recent, later, client, keys, reviews)
    engine.close()
    journal.close()
