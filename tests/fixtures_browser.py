"""A real Chromium, started once a session, that reaches this machine alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_NOTE = Path(__file__).parent.parent / ".cache" / "chromium.path"


def chromium_path() -> str:
    """Where Chromium is: WORKLETS_CHROMIUM, what the installer noted, or Debian's place."""
    noted = _NOTE.read_text().strip() if _NOTE.exists() else ""
    return os.environ.get("WORKLETS_CHROMIUM") or noted or "/usr/bin/chromium"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=ARGUMENTS)
        yield browser
        browser.close()


class LocalContext:
    """A browser context that notes every request to another host and refuses it."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.strangers: list[str] = []
        context.route(lambda url: urlsplit(url).hostname not in ("127.0.0.1", "localhost", None), self._refuse)

    def _refuse(self, route: object) -> None:
        self.strangers.append(route.request.url)  # type: ignore[attr-defined]
        route.abort()  # type: ignore[attr-defined]

    def page(self) -> Page:
        """A new page."""
        return self.context.new_page()


@pytest.fixture
def visitor(chromium: Browser) -> Iterator[LocalContext]:
    """Somebody with a browser of their own; the test fails if a page asked another host for anything."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    local = LocalContext(context)
    yield local
    context.close()
    assert local.strangers == []
