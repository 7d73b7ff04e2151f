"""Making and changing worklets in a real Chromium, with the mouse and with the keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from .browser_site import CONTRAST, NAMELESS, Site, running_site

pytestmark = [pytest.mark.browser]

CODE = """import prefect_worklets as pw


@pw.node
def step(x: int) -> int:
    return x + 1


@pw.node
def step_2(x: int) -> int:
    return x * 10


@pw.node
def step_3(x: int, word: str = "is") -> str:
    pw.context().logger.warning("worded")
    return f"it {word} {x}"
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[Site]:
    expect.set_options(timeout=20_000)  # of a busy machine
    with running_site(tmp_path_factory.mktemp("site"), chromium) as found:
        yield found
    expect.set_options(timeout=5_000)


def write_code(page: Page, text: str) -> None:
    page.locator(".CodeMirror").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(text)


def settled(page: Page, selector: str) -> Any:
    """Where an element is, once it stays there: the graph may just be drawn again."""
    before = None
    for _ in range(100):
        found = page.locator(selector).bounding_box()
        if found is not None and found == before:
            return found
        before = found
        page.wait_for_timeout(40)
    raise AssertionError(f"{selector} does not settle")


def draw(page: Page, source: str, target: str) -> None:
    """A line from one node's dot to another node, by the mouse."""
    page.locator("#edit-canvas").scroll_into_view_if_needed()
    start = settled(page, f'.handle[data-from="{source}"]')
    end = settled(page, f'#edit-canvas [data-node="{target}"]')
    page.mouse.move(start["x"] + start["width"] / 2, start["y"] + start["height"] / 2)
    page.mouse.down()
    page.mouse.move(end["x"] + end["width"] / 2, end["y"] + end["height"] / 2, steps=6)
    page.mouse.up()


def wire(page: Page, source: str, target: str) -> Any:
    return page.locator(f'.wire[data-source="{source}"][data-target="{target}"]')


class TestMaking:
    def test_three_nodes_with_the_mouse_then_tried_published_and_invoked(self, site: Site) -> None:
        page = site.page("builder", width=1400)
        page.goto(site.url + "/console/worklets")
        page.get_by_label("Name of a new worklet").fill("counting")
        page.get_by_role("button", name="New").click()
        page.wait_for_url("**/console/worklets/counting/edit")
        page.locator("#edit-canvas svg").wait_for()
        for number in (1, 2, 3):
            page.get_by_role("button", name="code", exact=True).click()
            expect(page.locator("#edit-canvas .node-link")).to_have_count(number)
        write_code(page, CODE)
        expect(page.locator("#edit-faults li")).not_to_have_count(0)
        page.locator("#edit-faults").get_by_text("'x' is missing").first.wait_for()
        assert page.locator("#edit-canvas .wrong").count() == 3
        for source, target in (("$input", "step"), ("step", "step_2"), ("step_2", "step_3"), ("step_3", "$output")):
            draw(page, source, target)
            wire(page, source, target).wait_for()
        expect(page.locator("#edit-faults")).to_contain_text("None")
        page.locator('#edit-canvas [data-node="step_3"]').click()
        page.get_by_label("input", exact=True).fill('{"x": 7, "word": "was"}')
        page.get_by_role("button", name="Try this node").click()
        expect(page.locator(".tried pre").first).to_have_text('"it was 7"')
        page.get_by_role("button", name="Publish").click()
        page.get_by_role("button", name="Go ahead").click()
        page.get_by_text("v1 answers now.").wait_for()
        key = site.instance.access.create_key("counter", "operator")
        headers = {"authorization": f"Bearer {key}"}
        answer = page.request.post(site.url + "/api/worklets/counting/invoke", headers=headers, data={"x": 4})
        assert (answer.status, answer.json()) == (200, "it is 50")
        assert page.faults == []

    def test_undo_disconnect_delete_and_a_draft(self, site: Site) -> None:
        page = site.page("builder", width=1400)
        page.goto(site.url + "/console/worklets/greet/edit")
        wire(page, "compose", "finish").wait_for()
        wire(page, "compose", "finish").focus()
        page.keyboard.press("Delete")
        expect(wire(page, "compose", "finish")).to_have_count(0)
        page.locator("#edit-faults").get_by_text("'text' is missing").wait_for()
        page.locator('#edit-canvas [data-node="compose"]').focus()
        page.keyboard.press("Delete")
        expect(page.locator('#edit-canvas [data-node="compose"]')).to_have_count(0)
        page.get_by_role("button", name="Undo").click()
        page.get_by_role("button", name="Undo").click()
        wire(page, "compose", "finish").wait_for()
        expect(page.get_by_role("button", name="Save as draft")).to_be_disabled()
        # By the keyboard alone: choose a node, and where its argument comes from.
        page.locator('#edit-canvas [data-node="finish"]').focus()
        page.keyboard.press("Enter")
        page.get_by_label("text", exact=True).select_option("constant")
        expect(wire(page, "compose", "finish")).to_have_count(0)
        page.get_by_label("text", exact=True).select_option("node:compose")
        wire(page, "compose", "finish").wait_for()
        page.get_by_text("Retries, timeout and more").click()
        page.get_by_label("retries", exact=True).fill("2")
        page.get_by_label("retries", exact=True).press("Tab")
        page.get_by_role("button", name="Save as draft").click()
        page.get_by_text("Saved as the draft v2.").wait_for()
        page.goto(site.url + "/console/worklets/greet/compare?before=1&after=2")
        assert page.get_by_text("node finish: retries").is_visible()
        assert site.instance.registry.live["greet"].version == 1
        assert page.faults == []

    def test_a_decision_and_the_worklets_own_settings(self, site: Site) -> None:
        page = site.page("builder", width=1600)
        page.goto(site.url + "/console/worklets/sorting/edit")
        page.locator("#edit-canvas svg").wait_for()
        page.get_by_label("description").fill("Sorts numbers.")
        page.get_by_text("Schedules, tags and more").click()
        page.get_by_label("tags").fill("one, two")
        page.get_by_role("button", name="decide", exact=True).click()
        wire(page, "decide", "join").wait_for()
        expect(page.locator("#edit-inspector")).not_to_contain_text("nullDelete")
        page.get_by_label("goes its way if the value is").fill("3")
        page.get_by_role("button", name="code", exact=True).click()
        page.locator('#edit-canvas [data-node="step"]').wait_for()
        for source, target in (("$input", "decide"), ("$input", "step"), ("decide", "step"), ("step", "join")):
            draw(page, source, target)
            if (source, target) != ("$input", "decide"):
                page.locator("dialog .choices button").first.click()
            wire(page, source, target).wait_for()
        page.locator('#edit-canvas [data-node="join"]').focus()
        page.keyboard.press("Enter")
        page.get_by_label("otherwise", exact=True).select_option("constant")
        page.get_by_label("Value of otherwise").fill("0")
        page.get_by_label("Value of otherwise").press("Tab")
        draw(page, "join", "$output")
        expect(page.locator("#edit-faults")).to_contain_text("None")
        page.get_by_role("button", name="Publish").click()
        page.get_by_role("button", name="Go ahead").click()
        page.get_by_text("v1 answers now.").wait_for()
        graph = site.instance.registry.live["sorting"].graph
        assert (graph.description, graph.tags) == ("Sorts numbers.", ("one", "two"))
        assert graph.node("decide").settings["equals"] == 3
        assert page.faults == []

    def test_what_was_not_saved_is_there_again(self, site: Site) -> None:
        page = site.page("builder", width=1400)
        page.goto(site.url + "/console/worklets/left-behind/edit")
        page.get_by_role("button", name="save", exact=True).click()
        expect(page.locator("#edit-canvas .node-link")).to_have_count(1)
        page.reload()
        expect(page.locator("#edit-canvas .node-link")).to_have_count(1)
        page.get_by_role("button", name="Discard").click()
        page.get_by_role("button", name="Go ahead").click()
        expect(page.locator("#edit-canvas .node-link")).to_have_count(0)


class TestLooks:
    @pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
    def test_it_fits_and_can_be_read(self, site: Site, width: int, scheme: str) -> None:
        page = site.page("builder", width=width, scheme=scheme)
        page.goto(site.url + "/console/worklets/greet/edit")
        page.locator('#edit-canvas [data-node="finish"]').click()
        page.get_by_label("text", exact=True).wait_for()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.evaluate(CONTRAST) == []
        assert page.evaluate(NAMELESS) == []
        assert page.faults == []
        assert all(url.startswith((site.url, "data:")) for url in page.requested)

    def test_only_builders_may(self, site: Site) -> None:
        answer = site.page("operator").goto(site.url + "/console/worklets/greet/edit")
        assert answer is not None
        assert answer.status == 403
