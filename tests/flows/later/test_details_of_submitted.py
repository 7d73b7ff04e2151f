"""Submitted runs show what their nodes gave: while they go on, while they wait for a person, and afterwards."""

from __future__ import annotations


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
