"""A console in this process for tests that look at it with a real Chromium."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from playwright.sync_api import Browser
from prefect_worklets.connectors.web import SESSION_COOKIE

from .conftest import Instance, built, push

# Each text's contrast with what is behind it, as WCAG counts it; answers the texts below 4.5.
CONTRAST = """() => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const channels = (colour, under) => {
    pen.fillStyle = `rgb(${under.join()})`; pen.fillRect(0, 0, 1, 1);
    pen.fillStyle = colour; pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (rgb) => rgb.map((c) => c / 255).map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    const chain = [];
    for (let at = element; at; at = at.parentElement) chain.unshift(getComputedStyle(at).backgroundColor);
    return chain.reduce((under, colour) => channels(colour, under), [255, 255, 255]);
  };
  const poor = [];
  for (const element of document.querySelectorAll("body *:not(svg *)")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !element.checkVisibility() || element.closest(".hidden")) continue;
    const under = behind(element);
    const [a, b] = [light(channels(getComputedStyle(element).color, under)), light(under)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) poor.push(`${element.className || element.tagName}: ${element.textContent.trim()} ${ratio}`);
  }
  return poor;
}"""


NAMELESS = """() => [...document.querySelectorAll("input, select, textarea, button, a")]
  .filter((element) => !(element.labels?.length || element.ariaLabel || element.textContent.trim()))
  .map((element) => element.outerHTML)"""


@dataclass
class Site:
    """A running instance and a browser."""

    url: str
    instance: Instance
    browser: Any

    def page(self, role: str | None = "admin", *, width: int = 1280, scheme: str = "light") -> Any:
        """A page of a new browser session; its requests and faults are noted."""
        context = self.browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
        if role is not None:
            _, cookies = self.instance.user(f"a {role}", role)
            context.add_cookies([{"name": SESSION_COOKIE, "value": cookies[SESSION_COOKIE], "url": self.url}])
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.requested, page.faults = [], []
        page.on("request", lambda request: page.requested.append(request.url))
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        page.on(
            "console", lambda message: page.faults.append(message.text) if "Content Security" in message.text else None
        )
        return page


@contextmanager
def running_site(folder: Path, browser: Browser) -> Iterator[Site]:
    """A console with the worklet `greet`, for as long as the block."""
    with built(folder) as instance:
        push(instance, folder)
        server = uvicorn.Server(uvicorn.Config(instance.app, port=0, log_level="warning"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Site(f"http://127.0.0.1:{port}", instance, browser)
        server.should_exit = True
        thread.join(10)
