from __future__ import annotations

import textwrap
from pathlib import Path

import httpx
import pytest
from prefect_worklets.flows import bundle
from prefect_worklets.panel_views.console.pages_versions import DiffRow, side_by_side

from .conftest import PROJECT, Instance, run_row


@pytest.fixture
def drafted(pushed: Instance, tmp_path: Path) -> Instance:
    """The instance with a second version of `greet`, a draft with another line and another file."""
    source = tmp_path / "source"
    (source / "greetings.py").write_text(textwrap.dedent(PROJECT).replace("@node\n", "@node(retries=2)\n", 1))
    (source / "notes.txt").write_text("<b>new</b>\n")
    pushed.registry.push(bundle.pack(source), "greetings", draft=True)
    return pushed


async def test_two_versions_stand_side_by_side(drafted: Instance, admin: httpx.AsyncClient) -> None:
    page = await admin.get("/console/worklets/greet/compare")  # the live one and the newest
    assert page.status_code == 200
    for part in ("retries", "@node(retries=2)", "notes.txt", "&lt;b&gt;new&lt;/b&gt;", "Promote v2", "v2 (draft)"):
        assert part in page.text
    same = await admin.get("/console/worklets/greet/compare?before=1&after=1")
    assert "These versions are the same" in same.text


async def test_the_worklets_page_leads_there(drafted: Instance, admin: httpx.AsyncClient) -> None:
    page = (await admin.get("/console/worklets/greet")).text
    assert '/console/worklets/greet/compare?before=1&amp;after=2"' in page
    assert '<span class="tag">draft</span>' in page


@pytest.mark.parametrize(
    ("address", "status"),
    [("greet/compare?before=1&after=7", 404), ("greet/compare?before=x", 400), ("nobody/compare", 404)],
)
async def test_what_cannot_be_compared(pushed: Instance, admin: httpx.AsyncClient, address: str, status: int) -> None:
    assert (await admin.get(f"/console/worklets/{address}")).status_code == status


async def test_source_is_for_builders(pushed: Instance) -> None:
    _, cookies = pushed.user("otto", "operator")
    transport = httpx.ASGITransport(app=pushed.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://console.test", cookies=cookies) as client:
        assert (await client.get("/console/worklets/greet/compare")).status_code == 403


async def test_runs_are_chosen_by_version_and_trigger(pushed: Instance, admin: httpx.AsyncClient) -> None:
    pushed.add(run_row("aaaa1", version=1, trigger="api"), run_row("bbbb2", version=2, trigger="cron"))
    by_version = (await admin.get("/console/runs?version=2")).text
    assert "/console/runs/bbbb2" in by_version
    assert "/console/runs/aaaa1" not in by_version
    by_trigger = (await admin.get("/console/runs?trigger=api")).text
    assert "/console/runs/aaaa1" in by_trigger
    assert "/console/runs/bbbb2" not in by_trigger
    assert (await admin.get("/console/runs?version=two")).status_code == 400


def test_lines_that_changed_stand_beside_each_other() -> None:
    lines = ["@@ -1,3 +1,4 @@", " a", "-b", "-c", "+B", "@@ -9 +10,2 @@", "+new", " z"]
    assert side_by_side(lines) == [
        DiffRow("same", 1, "a", 1, "a"),
        DiffRow("changed", 2, "b", 2, "B"),
        DiffRow("removed", 3, "c", None, ""),
        DiffRow("gap"),
        DiffRow("added", None, "", 10, "new"),
        DiffRow("same", 9, "z", 11, "z"),
    ]
