"""A review inbox, made from a worklet: somebody chooses what waits, looks at it, decides, and its run ends."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import httpx
import pytest
from fixtures_browser import LocalContext
from fixtures_server import Server
from playwright.sync_api import expect

pytestmark = [pytest.mark.integration, pytest.mark.browser]

PROJECT = Path(__file__).resolve().parents[2] / "docs" / "examples" / "reviews" / "refunds"


def test_refunds_are_decided_on_a_page(server: Server, visitor: LocalContext, tmp_path: Path) -> None:
    project = tmp_path / "claims"
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("__pycache__"))
    (project / "refunds.py").write_text((project / "refunds.py").read_text().replace("def refund(", "def claim_inbox("))
    server.worklets("push", str(project))
    headers = {"authorization": f"Bearer {server.key}"}
    with httpx.Client(base_url=server.url, headers=headers, timeout=30) as client:
        claims = [{"customer": name, "amount": 300, "reason": "It broke."} for name in ("Ada", "Grace")]
        posted = [client.post("/api/worklets/claim_inbox/runs", json=claim) for claim in claims]
        runs = [each.json()["id"] for each in posted]
        made = server.worklets("views", "new", "Claims", "--template", "review-inbox", "--from-worklet", "claim_inbox")
        assert "/console/views/claims/edit" in made.stdout
        server.worklets("views", "publish", "claims")

        page = visitor.page()
        page.goto(json.loads(server.worklets("login", "--json").stdout)["url"])
        page.wait_for_url("**/console")
        page.goto(f"{server.url}/views/claims")
        expect(page.get_by_text("Choose one in the list.")).to_be_visible()
        # The second one may reach its review after the page was opened: the list is looked at again.
        page.get_by_role("cell", name="Grace").click(timeout=20_000)
        page.get_by_label("Comment").fill("Once more.")
        page.get_by_role("cell", name="Ada").click()
        expect(page.get_by_text('"Ada"')).to_be_visible()
        expect(page.get_by_label("Comment")).to_have_value("")
        page.get_by_label("Comment").fill("Of course.")
        page.get_by_role("button", name="Reject").click()
        expect(page.get_by_text("Decided; its run goes on.")).to_be_visible()
        expect(page.get_by_role("cell", name="Of course.")).to_be_visible()
        expect(page.get_by_text("Choose one in the list.")).to_be_visible()

        for _ in range(200):
            ended = client.get(f"/api/runs/{runs[0]}")
            if ended.json()["state"] == "completed":
                break
            page.wait_for_timeout(100)
        assert ended.json()["output"] == "Ada gets nothing: Of course."
        assert client.get(f"/api/runs/{runs[1]}").json()["state"] == "waiting"
        client.post(f"/api/runs/{runs[1]}/cancel")
