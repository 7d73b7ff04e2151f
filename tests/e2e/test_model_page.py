"""The page of a model, in a browser: try it, write about it, go back to a version, delete it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from uuid import uuid4

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from fixtures_browser import LocalContext
from fixtures_server import Server
from playwright.sync_api import Page, expect
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

import prefect_worklets as pw

pytestmark = [pytest.mark.integration, pytest.mark.browser]


def blend(picture: pw.Image, name: str, weight: float = 0.5) -> dict[str, object]:
    """Several kinds of inputs and outputs."""
    print("blending", name)
    return {"picture": picture, "text": f"{name} <b>", "weight": weight * 2}


@pytest.fixture(scope="module")
def client(server: Server) -> pw.Client:
    profile = json.loads((server.data_dir / "profile.json").read_text())
    return pw.Client(profile["url"], profile["key"])


@pytest.fixture
def irises(client: pw.Client) -> Iterator[pw.Model]:
    """Two versions of a model."""
    X, y = load_iris(return_X_y=True, as_frame=True)
    name = f"irises-{uuid4().hex[:6]}"
    for c in (1.0, 0.1):
        made = client.deploy(LogisticRegression(C=c, max_iter=500).fit(X, y), name, sample_input=X[:2])
    yield made
    if name in [model["name"] for model in client.models.list()]:
        made.delete(force=True)


def signed_in(server: Server, visitor: LocalContext) -> Page:
    page = visitor.page()
    page.goto(json.loads(server.worklets("login", "--json").stdout)["url"])
    page.wait_for_url("**/console")
    return page


def test_trying_writing_going_back_and_deleting(server: Server, visitor: LocalContext, irises: pw.Model) -> None:
    page = signed_in(server, visitor)
    page.goto(f"{server.url}/console/models/{irises.name}")
    # Rows: pasted from a spreadsheet, one wrong, then right.
    cell = page.get_by_label("sepal length (cm), row 1")
    expect(cell).to_have_value("5.1")
    page.get_by_role("button", name="Add a row").click()
    page.keyboard.type("six")
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("#field-X-fault")).to_contain_text("sepal length (cm), row 3: is no number")
    page.get_by_role("button", name="Remove row 3").click()
    page.get_by_label("X: from a file").set_input_files(
        files=[{"name": "a.csv", "mimeType": "text/csv", "buffer": b"6.3,3.3,6.0,2.5\n5.1,3.5,1.4,0.2\n6,,6,2\n"}]
    )
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("#field-X-fault")).to_contain_text("sepal width (cm), row 3")
    expect(page.get_by_label("sepal width (cm), row 3")).to_be_focused()
    page.keyboard.type("3")
    page.get_by_role("button", name="Predict").press("Enter")
    expect(page.locator("[data-answer] tbody tr")).to_have_count(3)
    assert page.locator("[data-answer] tbody td:last-child").all_inner_texts() == ["2", "0", "2"]
    expect(page.locator("[data-facts]")).to_contain_text("version 1.0.1")
    expect(page.locator("[data-meter=rate] [data-more]")).to_contain_text("answered")
    expect(page.get_by_text("It has printed nothing.")).to_be_visible()
    # Snippets, by keyboard.
    page.get_by_role("tab", name="Shell").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_label(f"Python that calls {irises.name}", exact=True)).to_contain_text(
        f"client.models['{irises.name}']"
    )
    # Two people write at once: the second one is told, and nothing is lost.
    page.get_by_role("button", name="Edit", exact=True).click()
    page.get_by_label("Description").fill("Which iris it is.")
    page.locator("[data-pairs=metadata]").get_by_role("button", name="Add").click()
    page.get_by_label("Metadata: name").fill("accuracy")
    page.get_by_label("Metadata: value").fill("0.97")
    assert Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa"]}).response["violations"] == []
    irises.change(labels={"team": "botany"})
    page.get_by_role("button", name="Save").click()
    expect(page.locator("dialog[open] [data-fault]")).to_contain_text("load it again")
    page.reload()
    expect(page.get_by_text("team: botany")).to_be_visible()
    page.get_by_role("button", name="Edit", exact=True).click()
    page.get_by_label("Description").fill("Which iris it is.")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".head").get_by_text("Which iris it is.")).to_be_visible()
    # Another version has its own page, form and snippets.
    page.get_by_role("link", name="1.0.0").click()
    expect(page.get_by_text("This is version 1.0.0")).to_be_visible()
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("[data-facts]")).to_contain_text("version 1.0.0")
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("Nothing that is live needs")).to_be_visible()
    page.get_by_role("button", name="Go ahead").click()
    page.wait_for_url("**/console/models")
    expect(page.get_by_text(f"{irises.name} is deleted.")).to_be_visible()


def test_sharing_out_drift_and_the_list(server: Server, visitor: LocalContext, client: pw.Client) -> None:
    X, y = load_iris(return_X_y=True, as_frame=True)
    name = f"shared-{uuid4().hex[:6]}"
    made = client.deploy(
        LogisticRegression(max_iter=500).fit(X, y), name, sample_input=X[:2], monitor=True, reference=X,
        labels={"team": f"team-{name}"},
    )  # fmt: skip
    other = client.deploy(LogisticRegression(C=0.001).fit(X, 2 - y), name, sample_input=X[:2], live=False)
    while not made.samples():  # they are taken from a moment after it is live on
        made.predict(X[::2] * 3)  # far from the reference
        time.sleep(0.5)
    page = signed_in(server, visitor)
    page.goto(f"{server.url}/console/models/{name}")
    card = page.locator("[data-traffic]")
    expect(card.locator(".share")).to_have_text([f"{made.version} · 100 %"])
    page.get_by_role("button", name="Share out").click()
    page.get_by_label(f"{other.version}, percent").fill("120")
    page.get_by_role("dialog").get_by_role("button", name="Share out").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.get_by_label(f"{other.version}, percent").fill("25")
    page.get_by_label("Shadow: is asked too").select_option(other.version)
    assert Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa"]}).response["violations"] == []
    page.get_by_role("dialog").get_by_role("button", name="Share out").click()
    expect(page.get_by_text("Shared out.")).to_be_visible()
    expect(card.locator(".share")).to_have_text([f"{made.version} · 75 %", f"{other.version} · 25 %"])
    # Flowers that the two versions name differently.
    for _ in range(29):
        client.models[name].predict(X[:5])
    expect(card.locator("[data-shadow]")).to_contain_text("different", timeout=20_000)
    expect(card.locator("[data-differences] tbody tr").first).to_be_visible(timeout=20_000)
    page.reload()
    expect(page.locator("[data-drift-sum]")).to_contain_text("features drifted")
    expect(page.locator(".drift svg")).to_have_count(4)
    assert Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa"]}).response["violations"] == []
    page.get_by_role("button", name="End", exact=True).click()
    page.get_by_role("button", name="Go ahead").click()
    expect(card.locator(".share")).to_have_text([f"{made.version} · 100 %"])
    # The list: found by a label, with what it answered.
    page.goto(f"{server.url}/console/models")
    row = page.locator(f"[data-model={name}]")
    expect(row.locator("[data-calls]")).to_have_text(re.compile(r"^[3-9]\d$"), timeout=20_000)
    if (field := page.get_by_placeholder("Find by name")).count():
        field.fill(f"team-{name}")
        expect(page.locator("[data-model]:visible")).to_have_count(1)
        field.fill("no such model")
        expect(page.get_by_text("No model fits.")).to_be_visible()
    made.delete(force=True)


def test_pictures_texts_and_numbers(server: Server, visitor: LocalContext, client: pw.Client) -> None:
    pixels = np.zeros((8, 6, 3), dtype="uint8")
    model = client.deploy(blend, f"blend-{uuid4().hex[:6]}", sample_input={"picture": pixels, "name": "Ada"})
    page = signed_in(server, visitor)
    page.goto(f"{server.url}/console/models/{model.name}")
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("#field-picture-fault")).to_have_text("This is needed.")
    # A picture that is dropped on the field.
    page.evaluate("""async () => {
        const canvas = Object.assign(document.createElement("canvas"), { width: 30, height: 20 });
        canvas.getContext("2d").fillRect(0, 0, 30, 20);
        const blob = await new Promise((done) => canvas.toBlob(done));
        const transfer = new DataTransfer();
        transfer.items.add(new File([blob], "dropped.png", { type: "image/png" }));
        const field = document.querySelector("[data-control=image]");
        field.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
    }""")
    expect(page.get_by_alt_text("Preview of picture")).to_be_visible()
    page.get_by_label("weight").fill("2.5")
    page.get_by_role("button", name="Predict").click()
    picture = page.locator("[data-pictures] img")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 30
    expect(page.locator("[data-answer]")).to_contain_text("Ada <b>")
    expect(page.locator("[data-answer]")).to_contain_text("5")
    expect(page.locator("[data-log-lines]")).to_contain_text("blending Ada", timeout=15_000)
    expect(page.locator(".samples tbody tr").first).to_contain_text("(picture, 30 x 20)", timeout=15_000)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("None is taken.")).to_be_visible()
    assert "blending Ada" in server.worklets("models", "logs", model.name).stdout
    model.delete()


def test_a_model_that_is_needed_is_not_deleted(server: Server) -> None:
    refused = server.worklets("models", "delete", "style-transfer", "--yes", check=False)
    assert refused.returncode == 1
    assert "needed by the worklet stylize, the view stylize (by stylize)" in " ".join(refused.stderr.split())


def test_editing_by_command(server: Server, irises: pw.Model) -> None:
    server.worklets("models", "edit", irises.name, "--description", "Flowers", "--label", "a=b", "--set", "n=3")
    changed = json.loads(server.worklets("models", "edit", irises.name, "--label", "a=", "--json").stdout)
    assert (changed["description"], changed["labels"], changed["metadata"]) == ("Flowers", {}, {"n": 3})
