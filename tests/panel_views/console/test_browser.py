"""The console in a real Chromium: looks, keyboard, sign-in, and the form that runs a worklet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from PIL import Image
from playwright.sync_api import Browser
from prefect_worklets.connectors.web import SESSION_COOKIE
from prefect_worklets.flows import bundle
from prefect_worklets.panel_views.publishing import publish

from .browser_site import CONTRAST, NAMELESS, Site, running_site
from .conftest import Instance, model_rows, push, run_row

LONG = "a-name-that-is-so-long-that-it-fits-into-no-column-of-a-narrow-screen-at-all"
PATHS = [
    "/console",
    "/console/worklets",
    "/console/worklets/greet",
    "/console/models",
    "/console/models/iris",
    "/console/runs",
    "/console/runs/good",
    "/console/runs/bad",
    "/console/views",
    "/console/nothing",
]
pytestmark = [
    pytest.mark.browser,
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site"), chromium) as found:
        _fill(found.instance)
        yield found


def _fill(instance: Instance) -> None:
    instance.add(*model_rows(), *model_rows(LONG))
    publish(instance.store, {"slug": "desk", "title": LONG, "description": LONG, "pages": [{"id": "main"}]})
    failure = {"title": "A node failed", "detail": "It broke: " + LONG, "errors": [{"loc": [LONG], "msg": LONG}]}
    instance.add(
        run_row("good", input=b'{"person": {"name": "Ada"}}', output=orjson.dumps({"text": LONG * 3})),
        run_row("bad", worklet=LONG, state="failed", error=failure, nodes=[[LONG, "node", "failed", 1, 5, failure]]),
    )


class TestLooks:
    @pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark"), (390, "light"), (1280, "dark")])
    def test_every_page(self, site: Site, width: int, scheme: str) -> None:
        page = site.page(width=width, scheme=scheme)
        for path in PATHS:
            page.goto(site.url + path)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
            assert page.evaluate(CONTRAST) == [], path
            assert page.locator("h1").count() == 1
        assert page.faults == []
        assert {re.match(r"\w+://[^/]+", url)[0] for url in page.requested if not url.startswith("data:")} == {site.url}

    def test_controls_have_names(self, site: Site) -> None:
        page = site.page()
        for path in PATHS:
            page.goto(site.url + path)
            assert page.evaluate(NAMELESS) == [], path

    def test_the_keyboard_reaches_and_shows(self, site: Site) -> None:
        page = site.page()
        page.goto(site.url + "/console")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
        assert page.evaluate("document.activeElement.getBoundingClientRect().top") >= 0
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent.trim()") == "Overview"
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"

    def test_pages_work_without_scripts(self, site: Site) -> None:
        _, cookies = site.instance.user("plain", "admin")
        context = site.browser.new_context(java_script_enabled=False)
        context.add_cookies([{"name": SESSION_COOKIE, "value": cookies[SESSION_COOKIE], "url": site.url}])
        page = context.new_page()
        page.goto(site.url + "/console/runs")
        page.select_option("#filter-state", "failed")
        page.get_by_role("button", name="Filter").click()
        assert page.locator(".runs tbody tr").count() == 1
        page.goto(site.url + "/console/models/iris")
        assert page.get_by_role("button", name="Promote").count() == 0


class TestSignIn:
    def test_a_link_signs_in_once(self, site: Site) -> None:
        user, _ = site.instance.user("newcomer", "viewer")
        link = f"{site.url}/login/{site.instance.access.create_login_link(user)}"
        page = site.page(None)
        page.goto(link + "?next=/console/models")
        page.wait_for_url("**/console/models")
        assert page.get_by_text("newcomer").is_visible()
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/login")
        page.goto(link)
        assert "unknown, used or expired" in page.get_by_role("alert").text_content()
        page.goto(site.url + "/console")
        assert page.url == site.url + "/login?next=%2Fconsole"


class TestNodes:
    def test_a_click_shows_settings_and_code(self, site: Site) -> None:
        page = site.page()
        page.goto(site.url + "/console/worklets/greet")
        page.locator(".wide-only .node-link[data-node=compose]").click()
        sheet = page.locator(".node-sheet")
        sheet.get_by_text("def compose(greeting: Greeting) -> str:").wait_for()
        assert sheet.get_by_text("greetings.py:").is_visible()
        page.keyboard.press("Escape")
        assert not sheet.is_visible()
        assert page.evaluate("document.activeElement.dataset.node") == "compose"
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        sheet.get_by_text("def finish(").wait_for()
        assert page.evaluate("document.activeElement.textContent") == "finish"
        assert page.faults == []
        assert site.page("viewer").goto(site.url + "/console/worklets/greet/nodes/compose").ok

    @pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
    def test_a_node_of_a_run_shows_what_it_gave(self, site: Site, width: int, scheme: str) -> None:
        key = site.instance.access.create_key(f"caller {width}", "builder")
        page = site.page(width=width, scheme=scheme)
        answer = page.request.post(
            site.url + "/api/worklets/greet/invoke",
            headers={"authorization": f"Bearer {key}"},
            data={"person": {"name": "Ada", "age": 36}},
        )
        page.goto(f"{site.url}/console/runs/{answer.headers['x-run-id']}")
        page.locator(".node-link:visible[data-node=compose] .box").click()
        sheet = page.locator(".node-sheet")
        sheet.get_by_text("Attempts").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.evaluate(CONTRAST) == []
        assert page.evaluate(NAMELESS) == []
        box = sheet.bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= width
        sheet.get_by_role("button", name="Close").click()
        assert not sheet.is_visible()
        page.goto(f"{site.url}/console/runs/{answer.headers['x-run-id']}/nodes/compose")
        assert page.locator("h1").text_content() == "compose"
        assert page.faults == []


class TestTryingAWorklet:
    def test_it_runs_and_shows_output_and_run(self, site: Site, tmp_path: Path) -> None:
        Image.new("RGB", (40, 30), "orange").save(tmp_path / "a.png")
        page = site.page("operator")
        page.goto(site.url + "/console/worklets/greet")
        page.get_by_label("name").fill("Ada <b>")
        page.get_by_label("age").fill("36")
        page.get_by_label("loud").check()
        page.get_by_label("picture: a file").set_input_files(str(tmp_path / "a.png"))
        page.locator(".preview img").wait_for()
        page.get_by_role("button", name="Run", exact=True).click()
        result = page.locator("[data-result]")
        result.locator("[data-answer]").get_by_text("HELLO ADA <B>").wait_for()
        picture = result.locator("img")
        picture.wait_for()
        assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 40
        result.locator("[data-facts] a").click()
        page.get_by_role("heading", name="greet").wait_for()
        assert page.locator(".waterfall li").count() == 2
        assert page.faults == []

    def test_the_servers_faults_stand_at_their_fields(self, site: Site) -> None:
        page = site.page("operator")
        page.goto(site.url + "/console/worklets/greet")
        page.get_by_label("name").fill("Ada")
        page.get_by_label("age").fill("-1")
        page.get_by_label("times").fill("9")
        page.get_by_role("button", name="Run", exact=True).click()
        page.locator("[data-problem]").get_by_text("Bad input").wait_for()
        faults = {field: page.locator(f"#field-{field}-fault").text_content() for field in ("person-age", "times")}
        assert "greater than or equal to 0" in faults["person-age"]
        assert "less than or equal to 5" in faults["times"]
        assert page.get_by_label("age").get_attribute("aria-invalid") == "true"
        assert page.evaluate("document.activeElement.id") == "field-person-age"
        page.get_by_label("age").fill("1")
        page.get_by_label("times").fill("")
        page.get_by_role("button", name="Run", exact=True).click()
        page.locator("[data-answer]").get_by_text("Hello Ada").wait_for()
        assert page.locator("[aria-invalid]").count() == 0

    def test_what_is_missing_is_told_without_a_request(self, site: Site) -> None:
        page = site.page("operator")
        page.goto(site.url + "/console/worklets/greet")
        page.wait_for_load_state("networkidle")
        page.requested.clear()
        page.get_by_role("button", name="Run", exact=True).click()
        assert page.locator("#field-person-age-fault").text_content() == "This is needed."
        assert page.requested == []


class TestActions:
    def test_promoting_asks_first_and_reports(self, site: Site, tmp_path: Path) -> None:
        source = tmp_path / "source"
        source.mkdir()
        push(site.instance, tmp_path)
        text = (source / "greetings.py").read_text()
        (source / "greetings.py").write_text(text.replace("Greet a person.", "Greet somebody."))
        site.instance.registry.push(bundle.pack(source), "greetings")
        page = site.page("builder")
        page.goto(site.url + "/console/worklets/greet")
        assert page.locator(".head .tag").first.text_content() == "v2 live"
        page.get_by_role("button", name="Promote version 1").click()
        page.get_by_role("button", name="Cancel").click()
        assert page.locator(".head .tag").first.text_content() == "v2 live"
        page.get_by_role("button", name="Promote version 1").click()
        page.get_by_role("button", name="Go ahead").click()
        page.get_by_text("v1 answers now.").wait_for()
        assert page.locator(".head .tag").first.text_content() == "v1 live"
        assert site.instance.registry.get("greet").version == 1

    def test_a_refusal_is_shown(self, site: Site) -> None:
        page = site.page("builder")
        page.goto(site.url + "/console/models/iris")
        page.get_by_role("button", name="Promote version 1.0.0").click()
        page.route("**/promote", lambda route: route.fulfill(status=409, json={"detail": "It is <i>busy</i>."}))
        page.get_by_role("button", name="Go ahead").click()
        assert page.get_by_role("alert").text_content() == "It is <i>busy</i>."

    def test_filters_apply_at_once(self, site: Site) -> None:
        page = site.page()
        page.goto(site.url + "/console/runs")
        page.select_option("#filter-state", "failed")
        page.wait_for_url("**state=failed")
        assert page.locator(".runs tbody tr").count() == 1
