from __future__ import annotations

import asyncio
import base64
import hashlib
import io

import httpx
import numpy as np
import orjson
import pytest
from PIL import Image as Pillow
from prefect_worklets.bentos import api
from prefect_worklets.bentos.dependants import Dependant
from prefect_worklets.bentos.package import archive, pack
from prefect_worklets.connectors.access import Access
from prefect_worklets.connectors.images import Image
from prefect_worklets.connectors.web import Guard
from starlette.applications import Starlette

ROW = [[5.1, 3.5, 1.4, 0.2]]


@pytest.fixture
async def live(deployer, iris_package):
    return await deployer.deploy(iris_package)


async def upload(client, package, name, tmp_path, query="", sha256=None):
    path, actual = archive(package, tmp_path / "upload.tar.gz")
    return await client.post(
        f"/api/models/{name}/versions{query}",
        content=path.read_bytes(),
        headers={"x-content-sha256": sha256 or actual},
    )


def problem(answer, status, loc=None):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    if loc is not None:
        assert body["errors"][0]["loc"] == loc
    return body


class TestPredict:
    @pytest.mark.parametrize("path", ["iris", "iris@1.0.0"])
    async def test_answers(self, client, live, path):
        answer = await client.post(f"/api/models/{path}/predict", json={"inputs": ROW})
        assert answer.status_code == 200
        assert answer.json() == {"outputs": [0], "model": "iris", "version": "1.0.0"}
        assert answer.headers["x-model-version"] == "1.0.0"

    @pytest.mark.parametrize(
        ("body", "loc"),
        [
            ({"inputs": [[1, 2]]}, ["inputs", "X"]),
            ({"inputs": [["a", 1, 2, 3]]}, ["inputs", "X", 0, 0]),
            ({"inputs": None}, ["inputs", "X"]),
            ({"inputs": {"Y": 1}}, ["inputs", "Y"]),
            ({"input": ROW}, ["inputs"]),
            ([1], ["inputs"]),
        ],
    )
    async def test_bad_inputs_name_the_place(self, client, live, body, loc):
        problem(await client.post("/api/models/iris/predict", json=body), 400, loc)

    @pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"inputs": NaN}'])
    async def test_no_json(self, client, live, content):
        problem(await client.post("/api/models/iris/predict", content=content), 400)

    @pytest.mark.parametrize("path", ["nothing", "iris@9", "iris@", "@"])
    async def test_unknown_models(self, client, live, path):
        answer = await client.post(f"/api/models/{path}/predict", json={"inputs": ROW})
        assert answer.status_code in (404, 200 if path == "iris@" else 404)

    async def test_a_body_over_the_limit(self, client, live):
        problem(await client.post("/api/models/iris/predict", json={"inputs": ROW * 20_000}), 413)

    async def test_many_rows(self, client, live):
        answer = await client.post("/api/models/iris/predict", json={"inputs": ROW * 3000})
        assert answer.json()["outputs"] == [0] * 3000

    async def test_a_models_failure(self, client, deployer, write_model):
        body = "def predict(self, x: float = 1.0):\n    if x < 0: raise ValueError('negative')\n    return float('nan')"
        await deployer.deploy(write_model("thing", body))
        assert "negative" in problem(await client.post("/api/models/thing/predict", json={"inputs": -1}), 502)["detail"]
        assert (await client.post("/api/models/thing/predict", json={"inputs": 1})).json()["outputs"] is None

    async def test_a_time_limit(self, client, deployer, write_model):
        await deployer.deploy(write_model("thing", "def predict(self, x: float = 0.01):\n    time.sleep(x)"))
        problem(await client.post("/api/models/thing/predict?timeout=0.1", json={"inputs": 0.5}), 504)
        problem(await client.post("/api/models/thing/predict?timeout=no", json={"inputs": 0.5}), 400)


class TestPictures:
    @pytest.fixture
    async def flip(self, deployer, tmp_path):
        class Flip:
            def predict(self, picture: Image, note: str = "") -> Image:
                return Image.from_array(picture.array()[::-1].copy())

        return await deployer.deploy(pack(Flip, "flip", folder=tmp_path / "flip"), tier="in-process")

    @pytest.fixture
    def png(self):
        buffer = io.BytesIO()
        pixels = np.arange(36, dtype=np.uint8).reshape(4, 3, 3)
        Pillow.fromarray(pixels).save(buffer, "PNG")
        return buffer.getvalue(), pixels

    async def test_a_data_url(self, client, flip, png):
        content, pixels = png
        url = "data:image/png;base64," + base64.b64encode(content).decode()
        for inputs in (url, {"picture": url, "note": "x"}):
            answer = await client.post("/api/models/flip/predict", json={"inputs": inputs})
            assert (Image(answer.json()["outputs"]).array() == pixels[::-1]).all()

    async def test_an_uploaded_file(self, client, flip, png, files):
        stored = await asyncio.to_thread(files.put, png[0])
        answer = await client.post("/api/models/flip/predict", json={"inputs": {"picture": f"/api/files/{stored.id}"}})
        assert (Image(answer.json()["outputs"]).array() == png[1][::-1]).all()

    @pytest.mark.parametrize("url", ["http://127.0.0.1/a.png", "no picture", "/api/files/" + "0" * 32, 5, None])
    async def test_what_is_no_picture(self, client, flip, url):
        answer = await client.post("/api/models/flip/predict", json={"inputs": {"picture": url}})
        problem(answer, 400, ["inputs", "picture"])


class TestUpload:
    async def test_a_package_goes_live(self, client, iris_package, tmp_path, data):
        answer = await upload(client, iris_package, "iris", tmp_path)
        assert answer.status_code == 201
        shown = answer.json()
        assert (shown["version"], shown["status"], shown["framework"]) == ("1.0.0", "live", "sklearn")
        assert shown["signature"]["inputs"][0]["name"] == "X"
        assert shown["output_schema"]["type"] == "array"
        assert not list((data.root / "incoming").iterdir())

    async def test_without_waiting(self, client, iris_package, tmp_path):
        answer = await upload(client, iris_package, "iris", tmp_path, "?wait=false&version=3.0.0&tier=in-process")
        assert (answer.status_code, answer.json()["status"]) == (202, "packaged")
        for _ in range(400):
            shown = (await client.get("/api/models/iris/versions/3.0.0")).json()
            if shown["status"] == "live":
                return
            await asyncio.sleep(0.01)
        raise AssertionError(shown)

    async def test_a_model_that_fails_without_waiting(self, client, write_model, tmp_path):
        package = write_model("thing", "def predict(self, x: float = 1.0): raise ValueError('no')")
        await upload(client, package, "thing", tmp_path, "?wait=false")
        for _ in range(400):
            shown = (await client.get("/api/models/thing/versions/1.0.0")).json()
            if shown["status"] == "failed":
                break
            await asyncio.sleep(0.01)
        assert "ValueError: no" in shown["error"]

    async def test_a_failed_probe(self, client, live, write_model, tmp_path):
        package = write_model("iris", "def predict(self, x: float = 1.0): raise ValueError('no')")
        body = problem(await upload(client, package, "iris", tmp_path), 400)
        assert "1.0.0 still answers" in body["detail"]
        assert (await client.post("/api/models/iris/predict", json={"inputs": ROW})).status_code == 200

    async def test_refused(self, client, iris_package, tmp_path):
        problem(await upload(client, iris_package, "iris", tmp_path, sha256="0" * 64), 400)
        problem(await upload(client, iris_package, "iris", tmp_path, sha256="x"), 400)
        problem(await upload(client, iris_package, "Iris", tmp_path), 400)
        problem(await upload(client, iris_package, "iris", tmp_path, "?version=latest"), 400)
        problem(await upload(client, iris_package, "iris", tmp_path, "?tier=moon"), 400)
        await upload(client, iris_package, "iris", tmp_path, "?version=1.0.0")
        problem(await upload(client, iris_package, "iris", tmp_path, "?version=1.0.0"), 409)

    async def test_no_package(self, client, data):
        content = b"nothing of the kind"
        headers = {"x-content-sha256": hashlib.sha256(content).hexdigest()}
        problem(await client.post("/api/models/iris/versions", content=content, headers=headers), 400)
        large = bytes(600_000)
        headers = {"x-content-sha256": hashlib.sha256(large).hexdigest()}
        problem(await client.post("/api/models/iris/versions", content=large, headers=headers), 413)
        assert not list((data.root / "incoming").iterdir())


class TestModels:
    async def test_list_and_show(self, client, live):
        (shown,) = (await client.get("/api/models")).json()["models"]
        assert (shown["name"], shown["live_version"], shown["live"]["tier"]) == ("iris", "1.0.0", "in-process")
        one = (await client.get("/api/models/iris")).json()
        assert [version["version"] for version in one["versions"]] == ["1.0.0"]
        assert one["live"]["sample"] == {"X": ROW}
        assert len((await client.get("/api/models/iris/versions")).json()["versions"]) == 1
        problem(await client.get("/api/models/nothing"), 404)
        problem(await client.get("/api/models/iris/versions/9"), 404)

    async def test_change(self, client, live):
        answer = await client.patch("/api/models/iris", json={"description": "Flowers", "labels": {"team": "a"}})
        assert (answer.json()["description"], answer.json()["labels"]) == ("Flowers", {"team": "a"})
        problem(await client.patch("/api/models/iris", json={"labels": {"a": 1}}), 400, ["labels", "a"])
        problem(await client.patch("/api/models/iris", json={"name": "x"}), 400, ["name"])

    async def test_change_keeps_who_was_faster(self, client, live):
        read = (await client.get("/api/models/iris")).json()
        changes = {"metadata": {"accuracy": 0.97, "by": ["Ada"]}, "revision": read["revision"]}
        changed = (await client.patch("/api/models/iris", json=changes)).json()
        assert changed["metadata"] == {"accuracy": 0.97, "by": ["Ada"]}
        late = await client.patch("/api/models/iris", json={"description": "mine", "revision": read["revision"]})
        problem(late, 409)
        assert "load it again" in late.json()["detail"]
        # What people wrote is the same after a promotion: only notes are compared.
        await client.post("/api/models/iris/promote", json={"version": "1.0.0"})
        again = {"description": "mine", "labels": {}, "revision": changed["revision"]}
        assert (await client.patch("/api/models/iris", json=again)).json()["description"] == "mine"

    async def test_promote_and_rollback(self, client, live, logreg, tmp_path):
        package = pack(logreg, "iris", metadata={"n": 2}, folder=tmp_path / "second")
        await upload(client, package, "iris", tmp_path)
        assert (await client.post("/api/models/iris/rollback")).json()["version"] == "1.0.0"
        assert (await client.post("/api/models/iris/promote", json={"version": "1.0.1"})).json()["status"] == "live"
        problem(await client.post("/api/models/iris/promote", json={"version": "9"}), 404)
        problem(await client.post("/api/models/iris/promote", json={}), 400, ["version"])

    async def test_delete(self, client, live):
        assert (await client.delete("/api/models/iris")).status_code == 204
        problem(await client.get("/api/models/iris"), 404)
        problem(await client.delete("/api/models/iris"), 404)

    async def test_delete_names_what_needs_it(self, store, data, router, deployer, live, client):
        needed = [Dependant("worklet", "sort"), Dependant("view", "desk", "sort")]
        guard = Guard(Access(store))
        routes = api.routes(router, deployer, guard, data, dependants=lambda name: needed if name == "iris" else [])
        transport = httpx.ASGITransport(Starlette(routes=routes))
        async with httpx.AsyncClient(transport=transport, base_url="http://t", headers=client.headers) as asking:
            listed = (await asking.get("/api/models/iris/dependants")).json()["dependants"]
            assert listed[1] == {"kind": "view", "name": "desk", "through": "sort", "live": True}
            refused = await asking.delete("/api/models/iris")
            problem(refused, 409)
            assert "the worklet sort, the view desk (by sort)" in refused.json()["detail"]
            problem(await asking.get("/api/models/no/dependants"), 404)
            assert (await asking.delete("/api/models/iris?force=true")).status_code == 204

    async def test_zoo(self, client):
        entries = (await client.get("/api/zoo")).json()["entries"]
        assert "style-transfer" in [entry["name"] for entry in entries]
        problem(await client.post("/api/zoo/nothing/deploy"), 404)
        problem(await client.post("/api/zoo/style-transfer/deploy", json={"x": 1}), 400)


class TestRoles:
    CALLS = (
        ("GET", "/api/models", "viewer"),
        ("GET", "/api/models/iris", "viewer"),
        ("GET", "/api/models/iris/versions", "viewer"),
        ("GET", "/api/zoo", "viewer"),
        ("POST", "/api/models/iris/predict", "operator"),
        ("POST", "/api/models/iris/versions", "builder"),
        ("POST", "/api/models/iris/promote", "builder"),
        ("POST", "/api/models/iris/rollback", "builder"),
        ("PATCH", "/api/models/iris", "builder"),
        ("GET", "/api/models/iris/dependants", "builder"),
        ("DELETE", "/api/models/iris", "builder"),
        ("POST", "/api/zoo/style-transfer/deploy", "builder"),
    )

    @pytest.mark.parametrize(("method", "path", "least"), CALLS)
    async def test_each_route_asks_for_its_role(self, client, method, path, least):
        roles = ["viewer", "operator", "builder"]
        for role in roles[: roles.index(least)]:
            headers = {"authorization": f"Bearer {client.keys[role]}"}
            problem(await client.request(method, path, headers=headers), 403)
        headers = {"authorization": f"Bearer {client.keys[least]}"}
        answer = await client.request(method, path, headers=headers, content=orjson.dumps({"x": 1}))
        assert answer.status_code not in (401, 403)

    async def test_a_viewer_may_ask_through_a_view(self, client, live):
        headers = client.on_behalf
        answer = await client.post("/api/models/iris/predict", headers=headers, json={"inputs": [[5.1, 3.5, 1.4, 0.2]]})
        assert answer.status_code == 200
        problem(await client.post("/api/models/iris/promote", headers=headers, json={"version": "1.0.0"}), 403)

    @pytest.mark.parametrize(("method", "path", "least"), CALLS)
    async def test_strangers_are_sent_away(self, client, method, path, least):
        problem(await client.request(method, path, headers={"authorization": "Bearer nobody"}), 401)
