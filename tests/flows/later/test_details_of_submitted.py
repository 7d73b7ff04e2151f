"""Submitted runs show what their nodes gave: while they go on, while they wait for a person, and afterwards."""

from __future__ import annotations

import logging

from prefect_worklets.connectors.access import Access
from prefect_worklets.connectors.web import ON_BEHALF_HEADER
from prefect_worklets.flows.observing import kept_lines

from .conftest import INTERNAL_KEY, until


async def node(parts, run, id, role="builder"):
    return (await parts.client.get(f"/api/runs/{run}/nodes/{id}", headers=parts.headers(role))).json()


async def test_while_it_goes_on_and_afterwards(parts):
    id = (await parts.submit("steps", {"x": 4})).json()["id"]
    async with parts.working():
        await parts.has_begun("second")
        first, second = await node(parts, id, "first"), await node(parts, id, "second")
        assert (first["state"], first["output"], first["given"]) == ("completed", 5, {"x": 4})
        assert (second["state"], second["ended"], second["has_output"]) == ("running", None, False)
        parts.mark("go")
        run = await parts.ended(id)
        ended = await node(parts, id, "second")
        assert (ended["state"], ended["output"]) == ("completed", run["output"])
        assert ended["given"] == {"x": first["output"]}
        assert ended["started"] < ended["ended"]


async def test_while_it_waits_for_a_person(parts):
    id = (await parts.submit("asking", {"x": 4})).json()["id"]
    async with parts.working():
        await parts.asked(id)
        offer = await node(parts, id, "offer")
        assert offer["output"] == {"item": "lamp", "net": 4}
        assert (await node(parts, id, "review"))["given"] == {"value": {"item": "lamp", "net": 4}}
        assert (await node(parts, id, "told"))["state"] == "not begun"


async def test_secrets_are_blanked_out(parts):
    await parts.client.put("/api/secrets/TOKEN", json={"value": "hush-hush"}, headers=parts.headers("admin"))
    id = (await parts.submit("leaky", {"x": 1})).json()["id"]
    async with parts.working():
        await parts.ended(id)
    assert (await node(parts, id, "told"))["output"] == "the token is ***"


async def test_lines_as_they_come(parts, caplog):
    users = [Access(parts.registry.store).ensure_user(name, "operator") for name in ("ada", "grace")]
    views = [{"authorization": f"Bearer {INTERNAL_KEY}", ON_BEHALF_HEADER: each.id} for each in users]
    posted = await parts.client.post("/api/worklets/talking/runs", json={"x": 4}, headers=views[0])
    path = f"/api/runs/{posted.json()['id']}/lines"

    async def lines(after=0, headers=views[0]):
        found = (await parts.client.get(path, params={"after": after}, headers=headers)).json()
        return found["after"], [(line["node"], line["level"], line["text"]) for line in found["lines"]]

    begun, ended = ("aloud", "INFO", "begun with 5"), ("aloud", "ERROR", "<script>ended</script>")

    async def first():
        return (await lines())[1]

    with kept_lines(), caplog.at_level(logging.INFO):
        async with parts.working():
            assert await until(first) == [begun]
            after, _ = await lines()
            assert await lines(after) == (after, [])
            parts.mark("go")
            await parts.ended(posted.json()["id"], role="builder")
    assert (await lines(after))[1] == [ended]
    assert (await lines())[1] == (await lines(headers=parts.headers("builder")))[1] == [begun, ended]
    # A page shows those of whoever has begun the run; who asks without one is a builder, or is refused.
    assert (await parts.client.get(path, headers=views[1])).status_code == 404
    key = Access(parts.registry.store).create_key("own", "operator")
    own = await parts.client.post("/api/worklets/steps/runs", json={"x": 1}, headers={"authorization": f"Bearer {key}"})
    path = f"/api/runs/{own.json()['id']}/lines"
    refused = await parts.client.get(path, headers={"authorization": f"Bearer {key}"})
    assert (refused.status_code, "role builder" in refused.json()["detail"]) == (403, True)
