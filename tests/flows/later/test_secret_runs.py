"""Secrets in runs: nodes read them, and nothing that is kept or answered has them."""

from __future__ import annotations

import pytest

import prefect_worklets as pw

VALUE = "sk-3f9a-secret"


async def test_set_by_a_builder_and_never_shown(parts):
    async def send(method, path="", role="builder", **body):
        return await parts.client.request(method, f"/api/secrets{path}", headers=parts.headers(role), json=body or None)

    assert (await send("PUT", "/TOKEN", "operator", value=VALUE)).status_code == 403
    assert (await send("PUT", "/TOKEN", value=VALUE)).status_code == 204
    assert (await send("PUT", "/TOKEN", other=VALUE)).status_code == 400
    assert (await send("GET", role="operator")).status_code == 403
    listed = await send("GET")
    assert [each["name"] for each in listed.json()["secrets"]] == ["TOKEN"]
    assert VALUE not in listed.text
    assert (await send("DELETE", "/TOKEN", "viewer")).status_code == 403
    assert (await send("DELETE", "/TOKEN")).status_code == 204
    assert (await send("GET")).json() == {"secrets": []}


async def test_a_run_reads_it_and_no_record_has_it(parts, tmp_path):
    await parts.client.put("/api/secrets/TOKEN", headers=parts.headers("builder"), json={"value": VALUE})
    good = (await parts.submit("leaky", {"x": 1})).json()["id"]
    bad = (await parts.submit("leaky", {"x": -1})).json()["id"]
    async with parts.working():
        assert (await parts.ended(good))["output"] == "the token is ***"
        failed = await parts.run((await parts.ended(bad))["id"], "builder")
    assert "the token *** is refused" in failed["error"]["detail"]
    for file in (tmp_path / "journal").iterdir():
        assert VALUE not in file.read_text()
        assert "***" in file.read_text()


async def test_a_missing_one_is_named(parts):
    id = (await parts.submit("leaky", {"x": 1})).json()["id"]
    async with parts.working():
        run = await parts.ended(id)
    assert "no secret 'TOKEN'" in run["error"]["detail"]


def test_a_direct_call_takes_the_environment(monkeypatch):
    @pw.node
    def token() -> str:
        return pw.secret("TOKEN")

    @pw.worklet
    def shown() -> str:
        return token()

    monkeypatch.setenv("WORKLETS_SECRET_TOKEN", VALUE)
    assert shown() == VALUE
    monkeypatch.delenv("WORKLETS_SECRET_TOKEN")
    with pytest.raises(pw.SetupError, match="WORKLETS_SECRET_TOKEN"):
        shown()


def test_asked_for_in_the_graph_it_is_refused():
    with pytest.raises(pw.DefinitionError, match="inside a node"):

        @pw.worklet
        def shown() -> str:
            return pw.secret("TOKEN")
