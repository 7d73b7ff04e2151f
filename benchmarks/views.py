"""Pages under load, in one run: our view, Gradio and Streamlit with the same button, function and text.

`python -m benchmarks.views [--sessions 100] [--presses 40] [--rounds 3]` holds so many sessions of each app open,
presses the button in a real Chromium, and measures until the answer stands there. First paint is that of a browser
that has seen nothing yet. Memory is the server's whole process tree, before and with the sessions.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, sync_playwright

from .figures import median, quantile
from .machine import describe
from .report import write
from .subject import HERE, REPOSITORY
from .subjects import Stage
from .view_subjects import App, gradio, ours, peers_python, streamlit, versions

sys.path.insert(0, str(REPOSITORY / "tests"))

from fixtures_browser import ARGUMENTS, chromium_path

ANSWER_MS = 30_000
# Presses `button`, and answers how many milliseconds later `wanted` stands anywhere on the page.
PRESS = """([button, wanted]) => new Promise((resolve, reject) => {
  const roots = [], observers = []
  const collect = (root) => {
    roots.push(root)
    for (const element of root.querySelectorAll("*")) if (element.shadowRoot) collect(element.shadowRoot)
  }
  collect(document)
  const there = () => roots.some((root) => (root.body ?? root).textContent.includes(wanted))
  const end = (ok) => {
    for (const observer of observers) observer.disconnect()
    clearTimeout(patience)
    ok ? resolve(performance.now() - begun) : reject(new Error(`${wanted} did not come`))
  }
  for (const root of roots) {
    const observer = new MutationObserver(() => there() && end(true))
    observer.observe(root, { subtree: true, childList: true, characterData: true })
    observers.push(observer)
  }
  const patience = setTimeout(() => end(false), 30000)
  const begun = performance.now()
  button.click()
})"""
PAINT = """() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? null"""


@dataclass
class Figures:
    """What was measured of one app. Times in milliseconds, memory in MB."""

    latencies: list[float] = field(default_factory=list)
    first_paints: list[float] = field(default_factory=list)
    usable: list[float] = field(default_factory=list)
    memory_before: float = 0.0
    memory_with: float = 0.0


@contextmanager
def page_of(browser: Browser, app: App) -> Iterator[Page]:
    """The app's page in a browser that has seen nothing yet and reaches this machine alone."""
    context = browser.new_context()
    context.route(lambda url: urlsplit(url).hostname != "127.0.0.1", lambda route: route.abort())
    context.add_cookies(app.cookies)  # type: ignore[arg-type]
    try:
        yield context.new_page()
    finally:
        context.close()


def opened(page: Page, app: App) -> float:
    """Go there; after how many milliseconds the button can be pressed."""
    page.goto(app.url, wait_until="commit")
    button = page.get_by_role("button", name="Ask")
    button.wait_for(state="visible", timeout=ANSWER_MS)
    page.get_by_text("Answer 0").wait_for(state="visible", timeout=ANSWER_MS)
    return float(page.evaluate("() => performance.now()"))


def press(browser: Browser, app: App, times: int) -> list[float]:
    """Latencies of so many presses; those before the tenth part warm up."""
    with page_of(browser, app) as page:
        opened(page, app)
        page.wait_for_timeout(1000)
        button = page.get_by_role("button", name="Ask")
        taken = []
        for number in range(1, times + 1):
            taken.append(float(page.evaluate(PRESS, [button.element_handle(), f"Answer {number}"])))
            page.wait_for_timeout(30)
    return taken[times // 10 :]


def paint(browser: Browser, app: App, figures: Figures) -> None:
    """One opening."""
    with page_of(browser, app) as page:
        figures.usable.append(opened(page, app))
        first = page.evaluate(PAINT)
        if first is not None:
            figures.first_paints.append(float(first))


def measure(apps: list[App], options: argparse.Namespace, folder: Path) -> dict[str, Figures]:
    """All of it."""
    found = {app.name: Figures() for app in apps}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(ARGUMENTS))
        for app in apps:
            press(browser, app, 3)  # the first session of a server loads what all others share
            app.tree.freeze()
        for number in range(options.rounds):
            for app in apps[number % len(apps) :] + apps[: number % len(apps)]:
                print(f"round {number + 1} of {options.rounds}: {app.name}", file=sys.stderr, flush=True)
                with app.tree.running():
                    _round(browser, app, options, found[app.name], folder, first=number == 0)
        browser.close()
    return found


def _round(
    browser: Browser, app: App, options: argparse.Namespace, figures: Figures, folder: Path, first: bool
) -> None:
    for _ in range(options.openings):
        paint(browser, app, figures)
    if first:
        figures.memory_before = memory(app)
    with app.holding(options.sessions, folder / f"{app.name}-sessions.log"):
        if first:
            figures.memory_with = memory(app)
        figures.latencies += press(browser, app, options.presses)


def memory(app: App) -> float:
    """The tree's memory; a page shared by several processes counts once."""
    return sum(weight.pss for weight in app.tree.weigh())


def summary(found: dict[str, Figures], sessions: int) -> dict[str, dict[str, float]]:
    """The figures to compare."""
    return {
        name: {
            "latency_p50_ms": round(median(figures.latencies), 1),
            "latency_p95_ms": round(quantile(sorted(figures.latencies), 0.95), 1),
            "first_paint_ms": round(median(figures.first_paints), 1),
            "usable_ms": round(median(figures.usable), 1),
            "memory_mb": round(figures.memory_before, 1),
            "memory_per_session_mb": round((figures.memory_with - figures.memory_before) / sessions, 3),
        }
        for name, figures in found.items()
    }


def text(result: dict[str, Any]) -> str:
    """A page with the table."""
    labels = {"worklets": "**prefect-worklets**", "gradio": "Gradio", "streamlit": "Streamlit"}
    heads = ["app", "press → answer, p50", "p95", "first paint", "usable", "memory", "a session"]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for name, row in result["summary"].items():
        cells = [
            f"{labels[name]} {result['peers'].get(name, '')}".strip(),
            f"{row['latency_p50_ms']} ms",
            f"{row['latency_p95_ms']} ms",
            f"{row['first_paint_ms']} ms",
            f"{row['usable_ms']} ms",
            f"{row['memory_mb']} MB",
            f"{row['memory_per_session_mb']} MB",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    machine, settings = result["machine"], result["settings"]
    about = (
        f"{settings['sessions']} sessions held open, {settings['rounds']} rounds; {machine['cpu']}, "
        f"{machine['cores']} cores; load before: {settings['load_before']}; {result['taken_at']}."
    )
    return "# Pages\n\n" + about + "\n\n" + "\n".join(lines) + "\n"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.views", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--sessions", type=int, default=100, help="held open of each app")
    parser.add_argument("--presses", type=int, default=40, help="in each round")
    parser.add_argument("--openings", type=int, default=3, help="in each round, for the first paint")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=HERE / "results", help="the folder for the results")
    options = parser.parse_args()
    load_before = os.getloadavg()[0]
    python = peers_python(REPOSITORY / ".cache" / "view-peers")
    with tempfile.TemporaryDirectory(prefix="wb-") as folder:
        stage = Stage(Path(folder), Path(folder) / "none")
        try:
            apps = [gradio(stage, python).ready(), streamlit(stage, python).ready(), ours(stage).ready()]
            found = measure(apps, options, Path(folder))
        finally:
            stage.end()
    machine = describe(REPOSITORY)
    given = {name: value for name, value in vars(options).items() if name != "out"}
    result = {
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": {**given, "load_before": round(load_before, 2)},
        "machine": machine,
        "peers": versions(python),
        "summary": summary(found, options.sessions),
        "figures": {name: vars(figures) for name, figures in found.items()},
    }
    page = text(result)
    print(page)
    print(*write(result, page, options.out, "views-"), sep="\n")


if __name__ == "__main__":
    main()
