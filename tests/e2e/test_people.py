"""An admin and a colleague, in the console: add, invite, set a password, sign in, make a key, share a view."""

from __future__ import annotations

import json
from uuid import uuid4

import httpx
import pytest
from fixtures_browser import LocalContext
from fixtures_server import Server
from playwright.sync_api import Browser, Page, expect

pytestmark = [pytest.mark.integration, pytest.mark.browser]


def admin(server: Server, visitor: LocalContext) -> Page:
    page = visitor.page()
    page.goto(json.loads(server.worklets("login", "--json").stdout)["url"])
    page.wait_for_url("**/console")
    return page


def shown_once(page: Page) -> str:
    """What the dialog shows, which is closed afterwards."""
    text = page.locator("dialog code").inner_text()
    page.get_by_role("button", name="Done").click()
    return text


def test_a_colleague_comes_in(server: Server, visitor: LocalContext, chromium: Browser) -> None:
    page = admin(server, visitor)
    page.goto(f"{server.url}/console/users")
    page.get_by_label("Name", exact=True).fill("Grace Hopper")
    page.get_by_label("Role", exact=True).select_option("operator")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text("Added. Now")).to_be_visible()
    page.get_by_role("button", name="Password link for Grace Hopper").click()
    link = shown_once(page)
    context = chromium.new_context()
    colleague = context.new_page()
    colleague.goto(link)
    for label in ("Password", "The same again"):
        colleague.get_by_label(label, exact=True).fill("copper lantern 42")
    colleague.get_by_role("button", name="Set and sign in").click()
    colleague.wait_for_url("**/console")
    colleague.get_by_role("button", name="Sign out").click()
    colleague.wait_for_url("**/login")
    colleague.get_by_label("Name", exact=True).fill("Grace Hopper")
    colleague.get_by_label("Password", exact=True).fill("wrong")
    colleague.get_by_role("button", name="Sign in").click()
    expect(colleague.get_by_role("alert")).to_have_text("Name or password is wrong.")
    colleague.get_by_label("Password", exact=True).fill("copper lantern 42")
    colleague.get_by_role("button", name="Sign in").click()
    colleague.wait_for_url("**/console")
    # A key of her own, for one worklet alone.
    colleague.goto(f"{server.url}/console/keys")
    colleague.get_by_label("Name", exact=True).fill("the fair")
    colleague.get_by_label("Reaches only").fill("worklet:stylize")
    colleague.get_by_role("button", name="Make").click()
    headers = {"authorization": f"Bearer {shown_once(colleague)}"}
    assert httpx.get(f"{server.url}/api/worklets/stylize", headers=headers).status_code == 200
    assert httpx.get(f"{server.url}/api/models/style-transfer", headers=headers).status_code == 403
    # Out, at once and everywhere.
    page.get_by_role("button", name="Disable Grace Hopper").click()
    page.get_by_role("button", name="Go ahead").click()
    expect(page.get_by_role("button", name="Let Grace Hopper in again")).to_be_visible()
    context.close()


def test_sharing_a_view(server: Server, visitor: LocalContext) -> None:
    page, label = admin(server, visitor), f"The fair {uuid4().hex[:6]}"
    page.goto(f"{server.url}/console/views/stylize/share")
    page.get_by_label("For optional").fill(label)
    page.get_by_role("button", name="Make a link").click()
    link = shown_once(page)
    assert httpx.get(link).status_code == 200
    expect(page.locator("#snippet-script")).to_contain_text(link.rpartition("/")[2])
    page.get_by_label("Sites that may show it").fill("https://wiki.example.org/")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    expect(page.get_by_label("Sites that may show it")).to_have_value("https://wiki.example.org")
    page.get_by_role("button", name=f"End the link {label}").click()
    page.get_by_role("button", name="Go ahead").click()
    expect(page.get_by_text("The link has ended.")).to_be_visible()
    assert httpx.get(link).status_code == 404
