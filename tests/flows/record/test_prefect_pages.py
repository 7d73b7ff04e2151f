"""The stock Prefect pages in a real browser: a recorded run with its graph, its deployment with its parameters."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
from fixtures_browser import ARGUMENTS, chromium_path
from fixtures_prefect import PrefectServer
from playwright.async_api import Page, async_playwright, expect
from prefect_worklets.connectors.prefect_api import PrefectApi
from prefect_worklets.connectors.store import Store
from prefect_worklets.flows.outbox import Outbox
from prefect_worklets.flows.recorder import Recorder
from record_runs import add_runs, add_worklet, make_record

pytestmark = [pytest.mark.integration, pytest.mark.browser]


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """A page of a real browser."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path(), args=ARGUMENTS)
        yield await browser.new_page(viewport={"width": 1400, "height": 1000})
        await browser.close()


async def test_a_recorded_run_and_its_deployment(
    sqlite_store: Store, prefect_server: PrefectServer, page: Page, tmp_path: Path
) -> None:
    name = f"iris-{uuid4().hex[:6]}"
    add_worklet(sqlite_store, name)
    record = make_record(name, duration_us=400_000)
    add_runs(sqlite_store, [record])
    async with PrefectApi(prefect_server.url) as api:
        recorder = Recorder(Outbox(sqlite_store), api)
        assert await recorder.step() == 1
        await recorder.settle()
    (run,) = prefect_server.ask("POST", "/flow_runs/filter", {"flows": {"name": {"any_": [name]}}})

    await page.goto(f"{prefect_server.ui_url}/runs/flow-run/{run['id']}")
    await expect(page.get_by_text("Completed").first).to_be_visible(timeout=30_000)
    await expect(page.get_by_text("3 Task runs")).to_be_visible()
    await expect(page.locator("canvas").first).to_be_visible()
    await page.get_by_text("Parameters", exact=True).click()
    await expect(page.get_by_text("sepal_length").first).to_be_visible()
    await page.get_by_text("Task Runs", exact=True).click()
    for node in ("prepare", "model", "label"):
        await expect(page.get_by_text(node, exact=True).first).to_be_visible()
    await page.screenshot(path=tmp_path / "run.png")

    await page.goto(f"{prefect_server.ui_url}/deployments/deployment/{run['deployment_id']}")
    await expect(page.get_by_text(run["name"]).first).to_be_visible(timeout=30_000)
    await page.screenshot(path=tmp_path / "deployment.png")
