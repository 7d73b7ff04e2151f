"""The whole way, as a user goes it: curl the demo, use its page in Chromium, and find the runs in Prefect."""

from __future__ import annotations

import base64
import io
import json
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
from fixtures_browser import LocalContext
from fixtures_server import Server
from PIL import Image, ImageFilter
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.integration

RESULT_MS = 30_000


@pytest.fixture(scope="module")
def pictures(server: Server) -> dict[str, Path]:
    """The demo's example pictures."""
    return {path.stem: path for path in (server.data_dir / "demo").glob("*.jpg")}


def pixels(content: bytes) -> np.ndarray:
    """The picture as floats, at one size for all."""
    with Image.open(io.BytesIO(content)) as picture:
        return np.asarray(picture.convert("RGB").resize((192, 128)), dtype=float)


def outlines(content: bytes) -> np.ndarray:
    """Where the picture has edges, blurred: what it shows, whatever its colours."""
    with Image.open(io.BytesIO(content)) as picture:
        grey = picture.convert("L").resize((192, 128)).filter(ImageFilter.GaussianBlur(1))
    down, across = np.gradient(np.asarray(grey, dtype=float))
    strength = Image.fromarray((np.hypot(down, across) * 4).clip(0, 255).astype(np.uint8))
    return np.asarray(strength.filter(ImageFilter.GaussianBlur(3)), dtype=float)


def likeness(one: bytes, other: bytes) -> float:
    """How far the outlines of two pictures agree: 1 for the same, about 0 for unrelated ones."""
    return float(np.corrcoef(outlines(one).ravel(), outlines(other).ravel())[0, 1])


def paint(server: Server, content: Path, style: Path, **fields: str) -> httpx.Response:
    """What the printed curl line does."""
    with server.client() as client:
        return client.post(
            "/api/worklets/stylize/invoke",
            files={"content": content.read_bytes(), "style": style.read_bytes()},
            data=fields,
            headers={"accept": "image/png"},
        )


class TestInvoke:
    def test_answers_a_png_that_is_the_content_in_the_others_style(self, server: Server, pictures: dict[str, Path]):
        mosaic = paint(server, pictures["temple"], pictures["mosaic"])
        waves = paint(server, pictures["temple"], pictures["waves"])
        assert mosaic.status_code == 200, mosaic.text[:500]
        assert mosaic.headers["content-type"] == "image/png"
        assert len(mosaic.headers["x-run-id"]) == 32
        content, unrelated = pictures["temple"].read_bytes(), pictures["flower"].read_bytes()
        assert likeness(mosaic.content, content) > 0.5
        assert likeness(mosaic.content, content) > 2 * likeness(mosaic.content, unrelated)
        # Another style gives another picture of the same thing.
        assert np.abs(pixels(mosaic.content) - pixels(waves.content)).mean() > 10
        with Image.open(io.BytesIO(mosaic.content)) as picture:
            assert max(picture.size) == 384

    def test_takes_data_urls_and_uploaded_files_as_json(self, server: Server, pictures: dict[str, Path]):
        with server.client() as client:
            uploaded = client.post(
                "/api/files", content=pictures["flower"].read_bytes(), headers={"content-type": "image/jpeg"}
            )
            assert uploaded.status_code in (200, 201), uploaded.text
            style = "data:image/jpeg;base64," + base64.b64encode(pictures["strokes"].read_bytes()).decode()
            answer = client.post(
                "/api/worklets/stylize/invoke", json={"content": uploaded.json()["url"], "style": style, "size": 256}
            )
            assert answer.status_code == 200, answer.text[:500]
            output = answer.json()
            assert (output["width"], output["model"]) == (256, "style-transfer")
            assert output["image"].startswith("/api/files/")
            assert client.get(output["image"]).headers["content-type"] == "image/png"

    def test_keeps_the_result_in_the_callers_table(self, server: Server, pictures: dict[str, Path]):
        run = paint(server, pictures["flower"], pictures["waves"], size="128").headers["x-run-id"]
        with server.client() as client:
            rows = client.get("/api/tables/stylized/rows").json()["rows"]
        assert rows[0]["run_id"] == run

    def test_is_described_by_openapi(self, server: Server):
        with server.client() as client:
            document = client.get("/api/openapi.json").json()
        operation = document["paths"]["/api/worklets/stylize/invoke"]["post"]
        assert "requestBody" in operation


class TestBadInput:
    """Each is refused at the edge, names the field, and the server goes on."""

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            pytest.param({"style": "PICTURE"}, "content", id="missing field"),
            pytest.param({"content": 7, "style": "PICTURE"}, "content", id="wrong type"),
            pytest.param({"content": "data:image/png;base64,aGVsbG8=", "style": "PICTURE"}, "content", id="no image"),
            pytest.param({"content": "PICTURE", "style": "PICTURE", "size": "big"}, "size", id="no number"),
            pytest.param({"content": "PICTURE", "style": "PICTURE", "size": 9000}, "size", id="out of range"),
            pytest.param({"content": "PICTURE", "style": "http://127.0.0.1:1/a.png"}, "style", id="loopback"),
            pytest.param({"content": "PICTURE", "style": "http://169.254.169.254/"}, "style", id="metadata address"),
            pytest.param({"content": "PICTURE", "style": "http://10.0.0.1/a.png"}, "style", id="private network"),
            pytest.param({"content": "PICTURE", "style": "file:///etc/passwd"}, "style", id="file URL"),
            pytest.param({"content": "PICTURE", "style": "/api/files/" + "0" * 32}, "style", id="unknown file"),
        ],
    )
    def test_names_the_field(self, server: Server, pictures: dict[str, Path], body: dict[str, object], field: str):
        picture = "data:image/jpeg;base64," + base64.b64encode(pictures["waves"].read_bytes()).decode()
        sent = {name: picture if value == "PICTURE" else value for name, value in body.items()}
        with server.client() as client:
            answer = client.post("/api/worklets/stylize/invoke", json=sent)
        assert answer.status_code == 400, answer.text[:500]
        assert answer.headers["content-type"] == "application/problem+json"
        assert [error["loc"][0] for error in answer.json()["errors"]] == [field]

    def test_malformed_json(self, server: Server):
        with server.client() as client:
            answer = client.post("/api/worklets/stylize/invoke", content=b'{"content": ')
        assert answer.status_code == 400
        assert "JSON" in answer.json()["detail"]

    def test_a_body_of_100_mb(self, server: Server):
        with server.client() as client:
            answer = client.post("/api/worklets/stylize/invoke", content=b"x" * 100_000_000)
            assert answer.status_code == 413
            assert answer.headers["content-type"] == "application/problem+json"
            assert client.get("/api/health").status_code == 200

    @pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wk_wrong"}], ids=["no key", "a wrong key"])
    def test_needs_a_key(self, server: Server, headers: dict[str, str]):
        answer = httpx.post(f"{server.url}/api/worklets/stylize/invoke", json={}, headers=headers)
        assert answer.status_code == 401

    def test_an_unknown_worklet(self, server: Server):
        with server.client() as client:
            answer = client.post("/api/worklets/stylise/invoke", json={})
        assert answer.status_code == 404
        assert "stylize" in answer.json()["detail"]


class TestPrefect:
    def test_shows_the_run_with_its_nodes_and_edges(self, server: Server, pictures: dict[str, Path]):
        run = paint(server, pictures["temple"], pictures["waves"], size="128").headers["x-run-id"]
        flow_run = wait_for_flow_run(server, run)
        assert flow_run["state_type"] == "COMPLETED"
        assert flow_run["parameters"]["request"]["size"] == 128
        deployment = server.ask_prefect("GET", "/deployments/name/stylize/worklets")
        assert flow_run["deployment_id"] == deployment["id"]
        graph = wait_for_graph(server, flow_run["id"], 4)
        labels = {node["label"]: node for _, node in graph["nodes"]}
        assert any("style-transfer" in label for label in labels)
        assert sum(len(node["children"]) for node in labels.values()) == 3


@pytest.mark.browser
class TestView:
    """The stylize page in a real browser."""

    def test_uploads_paints_and_remembers(
        self, server: Server, visitor: LocalContext, pictures: dict[str, Path], tmp_path: Path
    ):
        page = sign_in(server, visitor)
        page.goto(f"{server.url}/views/stylize")
        inputs = page.locator("input[type=file]")
        expect(inputs).to_have_count(2)
        inputs.nth(0).set_input_files(str(pictures["temple"]))
        inputs.nth(1).set_input_files(str(pictures["strokes"]))
        button = page.get_by_role("button", name="Paint")
        expect(button).to_be_enabled(timeout=RESULT_MS)
        button.click()
        result = page.get_by_role("img", name="The painted picture")
        expect(result).to_be_visible(timeout=RESULT_MS)
        address = result.get_attribute("src")
        page.reload()
        expect(page.locator(f"img[src='{address}']").first).to_be_visible(timeout=RESULT_MS)


def sign_in(server: Server, visitor: LocalContext) -> Page:
    """Open a one-time link, as a user does with the one that `up` prints."""
    link = server.worklets("login", "--json").stdout
    page = visitor.page()
    page.goto(json.loads(link)["url"])
    page.wait_for_url("**/console")
    return page


def wait_for_flow_run(server: Server, run: str, seconds: float = 90) -> dict:
    """The flow run that was recorded for a run."""
    wanted = {"flow_runs": {"idempotency_key": {"any_": [run]}}}
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = server.ask_prefect("POST", "/flow_runs/filter", wanted)
        if found and found[0]["state_type"] in ("COMPLETED", "FAILED"):
            return found[0]
        time.sleep(0.2)
    raise AssertionError(f"run {run} did not reach Prefect")


def wait_for_graph(server: Server, flow_run: str, nodes: int, seconds: float = 90) -> dict:
    """The run graph, once it has so many nodes."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        graph = server.ask_prefect("GET", f"/flow_runs/{flow_run}/graph-v2")
        if len(graph["nodes"]) >= nodes:
            return graph
        time.sleep(0.5)
    raise AssertionError(f"the run graph has {len(graph['nodes'])} nodes of {nodes}")
