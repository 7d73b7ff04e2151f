"""Take the README's pictures: start a demo of its own, use its page in Chromium, and save what is seen."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

import prefect_worklets as pw

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
sys.path.insert(0, str(ROOT / "tests"))

from builder_hands import BuilderHands  # noqa: E402
from fixtures_browser import ARGUMENTS, chromium_path  # noqa: E402
from fixtures_server import Server, start_server  # noqa: E402
from panel_views.showcase import CARDS, showcase  # noqa: E402

PAIRS = (("flower", "mosaic"), ("temple", "waves"), ("temple", "strokes"))


def main() -> None:
    """Start, look, save, stop."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        server = start_server(Path(folder) / "data")
        try:
            server.wait_ready()
            take(server)
        finally:
            server.stop()


def take(server: Server) -> None:
    """Paint a few pictures on the page and photograph it, and the console."""
    link = json.loads(server.worklets("login", "--json").stdout)["url"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(ARGUMENTS))
        page = browser.new_page(viewport={"width": 1280, "height": 900}, device_scale_factor=1.25)
        page.goto(link)
        page.wait_for_url("**/console")
        page.goto(f"{server.url}/views/stylize")
        for number, (content, style) in enumerate(PAIRS, start=1):
            inputs = page.locator("input[type=file]")
            expect(inputs).to_have_count(2)
            inputs.nth(0).set_input_files(str(server.data_dir / "demo" / f"{content}.jpg"))
            inputs.nth(1).set_input_files(str(server.data_dir / "demo" / f"{style}.jpg"))
            page.wait_for_load_state("networkidle")
            page.get_by_role("button", name="Paint").click()
            expect(page.get_by_role("button", name="Result of")).to_have_count(number, timeout=30_000)
            expect(page.get_by_role("link", name="Download")).to_be_visible()
            page.wait_for_load_state("networkidle")
        page.wait_for_timeout(500)  # the progress bar fades out
        page.screenshot(path=IMAGES / "stylize.png", full_page=True)
        page.goto(f"{server.url}/console/worklets/stylize")
        page.screenshot(path=IMAGES / "worklet.png")
        page.goto(f"{server.url}/console")
        page.screenshot(path=IMAGES / "console.png")
        take_model(server, page)
        take_components(server, page)
        build(page, server)
        browser.close()
    for path in IMAGES.glob("*.png"):
        shrink(path)


def take_model(server: Server, page: Page) -> None:
    """Photograph the page of a model that was just tried."""
    X, y = load_iris(return_X_y=True, as_frame=True)
    X.columns = [name.removesuffix(" (cm)") for name in X.columns]
    description = "Which of three irises a flower is, by its petals and sepals."
    labels = {"team": "botany", "stage": "production"}
    client = pw.Client(server.url, server.key)
    for c in (1.0, 0.1):
        model = LogisticRegression(C=c, max_iter=500).fit(X, y)
        client.deploy(model, "irises", sample_input=X[:3], description=description, labels=labels,
                      metadata={"method": "predict_proba", "regularisation": c})  # fmt: skip
    page.goto(f"{server.url}/console/models/irises")
    page.get_by_role("button", name="Predict").click()
    page.locator("[data-answer] table").wait_for()
    page.mouse.move(0, 0)
    page.screenshot(path=IMAGES / "model.png", full_page=True)


def build(page: Page, server: Server) -> None:
    """Photograph the builder at work on a view of its own."""
    made = json.loads(server.worklets("views", "new", "Paint", "--from-worklet", "stylize", "--json").stdout)
    page.set_viewport_size({"width": 1440, "height": 900})
    hands = BuilderHands(page, server.url)
    hands.open(made["slug"])
    hands.settled()
    hands.select("run_stylize")
    page.wait_for_timeout(400)  # the outline of what is selected fades in
    page.screenshot(path=IMAGES / "builder.png")
    page.get_by_role("tab", name="Data").click()
    page.keyboard.press("Escape")
    page.screenshot(path=IMAGES / "builder-data.png", clip={"x": 0, "y": 0, "width": 720, "height": 560})
    hands.publish("Made from the worklet")
    hands.select("run_stylize")
    page.get_by_role("button", name="Connect Hint to data").click()
    page.get_by_role("tab", name="Expression").click()
    page.keyboard.type("'' if comp")
    page.wait_for_timeout(400)
    page.screenshot(path=IMAGES / "builder-expression.png", clip={"x": 990, "y": 330, "width": 450, "height": 570})
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    hands.select("run_stylize")
    hands.set("label", "Paint it")
    hands.settled()
    page.get_by_role("button", name="Versions").click()
    expect(page.get_by_text("What publishing would change")).to_be_visible()
    page.wait_for_timeout(7000)  # the messages at the foot go away
    page.screenshot(path=IMAGES / "builder-versions.png")


def take_components(server: Server, page: Page) -> None:
    """Photograph each card of a view with every component on it."""
    with server.client() as client:
        for mode in ("light", "dark"):
            client.post("/api/views", json=showcase(mode)).raise_for_status()
    page.goto(f"{server.url}/views/showcase-light")
    page.locator("#stage.drawn").wait_for(state="attached")
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(1000)  # the charts grow
    for number, title in enumerate(CARDS, start=1):
        name = title.lower().replace(" ", "-")
        page.locator(f"[data-component=card_{number}]").screenshot(path=IMAGES / f"components-{name}.png")
    page.goto(f"{server.url}/views/showcase-dark")
    page.locator("#stage.drawn").wait_for(state="attached")
    number = list(CARDS).index("Fields") + 1
    page.locator(f"[data-component=card_{number}]").screenshot(path=IMAGES / "components-dark.png")


def shrink(path: Path) -> None:
    """Fewer colours: the pictures are in the repository's history for good."""
    with Image.open(path) as picture:
        picture.convert("RGB").quantize(256).save(path, optimize=True)


if __name__ == "__main__":
    main()
