"""A view that a colleague uses every day: rows of a query, and a page for each with a form, a chart and a PDF."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from prefect_worklets.connectors.access import Access, Principal, Role
from prefect_worklets.connectors.file_addresses import file_url
from prefect_worklets.connectors.files import FileStore
from prefect_worklets.flows.context import Services
from prefect_worklets.flows.engine import Engine
from prefect_worklets.panel_views.checks import parse
from prefect_worklets.panel_views.view_tables import ViewTables

import prefect_worklets as pw

from .test_browser import drawn, opened, part, sign_in
from .test_media import small_pdf

pytestmark = [pytest.mark.browser, pytest.mark.integration]

ONE = {"number": pw.ui.param("number")}
PLANTS = [("Tomato", "Bed 1", "ripe"), ("Basil", "Window", "young"), ("Rose", "Bed 2", "in bloom")]


def column(name: str) -> pw.ui.Reads:
    return pw.ui.query("one", params=ONE, path=f"0.{name}")


def view() -> dict[str, Any]:
    Column = pw.ui.DataColumn
    open_one = pw.ui.navigate(page="plant", params={"number": pw.ui.event("row.number")})
    save = pw.ui.save("garden_plants", values=pw.ui.event("values"), row={"number": pw.ui.param("number")})
    saved = pw.ui.State("saved", default=False)
    listed = pw.page("Plants", [
        pw.ui.Table(pw.ui.query("every"), label="Plants", id="plants", on_row=open_one, columns=[
            {"name": "number", "title": "No."}, {"name": "name", "title": "Plant"},
            {"name": "place", "title": "Place"}, {"name": "stage", "title": "Stage"}]),
    ])  # fmt: skip
    form = pw.ui.Form([
        [pw.ui.TextInput("Plant", id="name", value=column("name"), required=True),
         pw.ui.TextInput("Place", id="place", value=column("place"))],
        pw.ui.Dropdown("Stage", id="stage", value=column("stage"), options=["young", "in bloom", "ripe"]),
    ], id="form", title="Details", on_submit=[save, pw.ui.set_state(saved, True)], width=6)  # fmt: skip
    heights = pw.ui.Chart(pw.ui.query("heights", params=ONE), label="Height (cm)", id="heights", kind="line", x="day",
                          y=["height"], width=6)  # fmt: skip
    detail = pw.page("Plant", [
        [pw.ui.Text(column("name"), id="title", style="heading", width=9),
         pw.ui.Button("All plants", id="back", style="secondary", on_click=pw.ui.navigate(page="plants"), width=3)],
        [form, heights],
        pw.ui.Alert("Saved.", id="told", style="success", visible_if=saved),
        pw.ui.Pdf(column("sheet"), label="Care sheet", id="sheet"),
    ], params=[pw.ui.Parameter(name="number", type="number")], hidden=True)  # fmt: skip
    return pw.view("garden", [listed, detail], description="What grows where.", tables=[
        pw.ui.DataTable(name="garden_plants", key=["number"], columns=[
            Column(name="number", type="number"), Column(name="name", required=True), Column(name="place"),
            Column(name="stage"), Column(name="sheet")]),
        pw.ui.DataTable(name="garden_heights", key=["number", "day"], columns=[
            Column(name="number", type="number"), Column(name="day"), Column(name="height", type="number")]),
    ], queries=[
        pw.ui.Query(name="every", sql="SELECT number, name, place, stage FROM garden_plants ORDER BY number"),
        pw.ui.Query(name="one", sql="SELECT * FROM garden_plants WHERE number = :number"),
        pw.ui.Query(name="heights", sql="SELECT day, height FROM garden_heights WHERE number = :number ORDER BY day"),
    ]).document  # fmt: skip


@pytest.fixture
def garden(instance: Any) -> Any:
    """The view, with rows and a PDF that belong to Ada."""
    owner = Access(instance.store).ensure_user("ada", "operator").id
    sheet = FileStore(instance.store, instance.data.files).put(small_pdf("Water twice"), name="care.pdf", owner=owner)
    document = view()
    instance.publish(document)
    tables = ViewTables(instance.store, parse(document), Principal(owner, "ada", Role.operator))
    for number, (name, place, stage) in enumerate(PLANTS, 1):
        values = {"number": number, "name": name, "place": place, "stage": stage, "sheet": file_url(sheet.id)}
        tables.save("garden_plants", values)
        for day in range(1, 8):
            height = 10 * number + day * day * 0.7
            tables.save("garden_heights", {"number": number, "day": f"2024-05-{day:02}", "height": height})
    return instance


def look(page: Page, name: str) -> None:
    """Pictures for people, where somebody asks for them."""
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


@pytest.mark.parametrize("width", [1280, 390])
def test_from_a_row_to_its_page_and_a_change_that_stays(visitor: Any, garden: Any, width: int) -> None:
    sign_in(visitor, garden, "ada")
    page = opened(visitor, garden, "garden")
    page.set_viewport_size({"width": width, "height": 900})
    expect(part(page, "plants").get_by_text("Basil")).to_be_visible()
    look(page, f"plants-{width}")
    part(page, "plants").get_by_text("Basil").click()
    page.wait_for_url("**/views/garden?page=plant&number=2")
    drawn(page)
    expect(part(page, "title")).to_have_text("Basil")
    expect(part(page, "name").locator("input")).to_have_value("Basil")
    expect(part(page, "heights").locator("canvas, svg.plot, figure, svg").first).to_be_visible()
    expect(part(page, "sheet").locator(".text").first).to_have_text("Water twice")
    expect(part(page, "told")).to_be_hidden()
    part(page, "name").locator("input").fill(f"Basil {width}")
    page.get_by_role("button", name="Save").click()
    expect(part(page, "told")).to_be_visible()
    expect(part(page, "title")).to_have_text(f"Basil {width}")
    look(page, f"plant-{width}")
    page.reload()
    drawn(page)
    expect(part(page, "name").locator("input")).to_have_value(f"Basil {width}")
    part(page, "name").locator("input").fill("")
    page.get_by_role("button", name="Save").click()
    expect(part(page, "name").get_by_role("alert")).to_be_visible()
    page.get_by_role("button", name="All plants").click()
    page.wait_for_url("**/views/garden?page=plants")
    drawn(page)
    expect(part(page, "plants").get_by_text(f"Basil {width}")).to_be_visible()
    page.go_back()
    drawn(page)
    expect(part(page, "title")).to_have_text(f"Basil {width}")
    part(page, "name").locator("input").fill("Basil")
    page.get_by_role("button", name="Save").click()
    expect(part(page, "title")).to_have_text("Basil")


def saved_by_a_run(garden: Any, row: dict[str, Any]) -> None:
    """In a thread: Playwright's own loop is this one's."""

    @pw.worklet
    def plant(row: dict) -> Any:
        return pw.save("garden_plants", key="number")(row)

    engine = Engine(services=Services(store=garden.store))
    with ThreadPoolExecutor() as pool:
        run = pool.submit(asyncio.run, engine.run(plant.plan, [row], engine.context("plant"))).result()
    assert run.state == "completed"
    engine.close()


def test_a_saved_row_shows_in_the_other_open_pages_and_takes_nothing_typed(visitor: Any, garden: Any) -> None:
    sign_in(visitor, garden, "ada")
    listed = opened(visitor, garden, "garden")
    expect(part(listed, "plants").get_by_text("Basil")).to_be_visible()
    writer, typing = visitor.page(), visitor.page()
    for tab in (writer, typing):
        tab.goto(f"{garden.url}/views/garden?page=plant&number=2")
        drawn(tab)
        expect(part(tab, "name").locator("input")).to_have_value("Basil")
    part(typing, "name").locator("input").fill("Half a na")
    part(writer, "name").locator("input").fill("Thai basil")
    writer.get_by_role("button", name="Save").click()
    expect(part(listed, "plants").get_by_text("Thai basil")).to_be_visible()
    saved_by_a_run(garden, {"number": 2, "name": "Holy basil"})
    expect(part(listed, "plants").get_by_text("Holy basil")).to_be_visible()
    expect(part(typing, "name").locator("input")).to_have_value("Half a na")
    for width in (1280, 390):
        listed.set_viewport_size({"width": width, "height": 900})
        look(listed, f"told-{width}")


def test_who_may_only_look_is_told_so_and_changes_nothing(visitor: Any, garden: Any) -> None:
    visitor.context.add_cookies(
        [{"name": "worklets_session", "value": garden.session("vera", "viewer"), "url": garden.url}]
    )
    page = visitor.page()
    page.goto(f"{garden.url}/views/garden?page=plant&number=3")
    drawn(page)
    part(page, "name").locator("input").fill("Weed")
    page.get_by_role("button", name="Save").click()
    expect(part(page, "form").get_by_role("alert").last).to_contain_text("write into the table")
    expect(part(page, "title")).to_have_text("Rose")
    expect(part(page, "told")).to_be_hidden()
