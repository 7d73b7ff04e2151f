"""The forms in which inputs come and answers leave: JSON, .npy, multipart forms, PNG."""

from __future__ import annotations

import io
import threading

import numpy as np
import orjson
import pytest
from PIL import Image as Pillow
from prefect_worklets.bentos import large_json
from prefect_worklets.bentos.npy import MEDIA_TYPE, read_npy, write_npy
from prefect_worklets.bentos.openapi import paths
from prefect_worklets.bentos.package import pack
from prefect_worklets.connectors.images import Image

ROW = np.array([[5.1, 3.5, 1.4, 0.2]])
PREDICT = "/api/models/{}/predict"


def refused(answer, status, loc=None):
    assert answer.status_code == status, answer.text
    body = answer.json()
    if loc is not None:
        assert loc in [error["loc"] for error in body["errors"]]
    return body["detail"] + " ".join(error["msg"] for error in body["errors"])


def png(pixels):
    buffer = io.BytesIO()
    Pillow.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def send(client):
    async def send(name, content, kind=MEDIA_TYPE, accept=None):
        headers = {"content-type": kind} | ({"accept": accept} if accept else {})
        return await client.post(PREDICT.format(name), content=content, headers=headers)

    return send


@pytest.fixture
async def live(deployer, iris_package):
    return await deployer.deploy(iris_package)


@pytest.fixture
async def mix(deployer, tmp_path):
    class Mix:
        def predict(self, a: np.ndarray, b: np.ndarray, times: int = 1, note: str = "", raw: bytes = b""):
            return {"sum": (a + b) * times, "note": note, "raw": len(raw)}

    sample = {"a": np.zeros((1, 2)), "b": np.zeros((1, 2), np.float32)}
    return await deployer.deploy(pack(Mix, "mix", sample_input=sample, folder=tmp_path / "mix"))


class TestArrays:
    @pytest.mark.parametrize("rows", [1, 5000])
    @pytest.mark.parametrize("dtype", ["<f8", ">f4", "<i2"])
    async def test_in_and_out(self, send, live, logreg, rows, dtype):
        X = np.repeat(np.array([[5, 3, 1, 0], [6, 3, 5, 2]]), rows, axis=0).astype(dtype)[:5000]
        answer = await send("iris", write_npy(X), accept=MEDIA_TYPE)
        assert (answer.headers["content-type"], answer.headers["x-model-version"]) == (MEDIA_TYPE, "1.0.0")
        np.testing.assert_array_equal(read_npy(answer.content), logreg.predict(X))

    async def test_in_only_and_out_only(self, client, send, live):
        answer = await send("iris", write_npy(ROW))
        assert answer.json() == {"outputs": [0], "model": "iris", "version": "1.0.0"}
        for accept in (f"{MEDIA_TYPE}, application/json", f"{MEDIA_TYPE};q=0.5, */*", "application/x-npy"):
            asked = {"json": {"inputs": ROW.tolist()}, "headers": {"accept": accept}}
            answer = await client.post(PREDICT.format("iris"), **asked)
            assert read_npy(answer.content).tolist() == [0]

    @pytest.mark.parametrize(
        ("content", "loc", "said"),
        [
            (b"no array", None, "numpy.save"),
            (write_npy(ROW)[:-3], None, "29 came"),
            (write_npy(ROW[:, :2]), ["inputs", "X"], "(1, 2)"),
            (write_npy(ROW.astype(str)), ["inputs", "X", 0, 0], "a number"),
            (write_npy(ROW * np.nan), ["inputs", "X", 0, 0], "finite"),
            (write_npy(ROW[:0]), ["inputs", "X"], "empty"),
        ],
    )
    async def test_what_does_not_fit(self, send, live, content, loc, said):
        assert said in refused(await send("iris", content), 400, loc)

    async def test_over_the_limit(self, send, live):
        refused(await send("iris", write_npy(np.zeros((10_000, 4)))), 413)

    async def test_a_model_of_several_inputs_wants_a_form(self, send, mix):
        assert "multipart/form-data" in refused(await send("mix", write_npy(ROW)), 400)

    async def test_an_unknown_model(self, send, deployer):
        refused(await send("nothing", write_npy(ROW)), 404)


class TestMediaTypes:
    @pytest.mark.parametrize("kind", ["application/pickle", "image/png", "application/octet-stream", "text/csv"])
    async def test_an_unknown_body(self, send, live, kind):
        assert MEDIA_TYPE in refused(await send("iris", b"x", kind), 415)

    @pytest.mark.parametrize(
        "kind", ["application/x-www-form-urlencoded", "application/json; charset=utf-8", "text/plain"]
    )
    async def test_what_curl_says_of_json(self, send, live, kind):
        assert (await send("iris", orjson.dumps({"inputs": ROW.tolist()}), kind)).json()["outputs"] == [0]

    @pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", "image/jpeg, text/plain", "*/*;q=0"])
    async def test_an_unknown_answer(self, send, live, accept):
        refused(await send("iris", write_npy(ROW), accept=accept), 406)

    @pytest.mark.parametrize("accept", ["*/*", "application/*", "text/html, */*;q=0.1", "application/json;q=0.1"])
    async def test_json_by_wildcard(self, send, live, accept):
        assert (await send("iris", write_npy(ROW), accept=accept)).json()["outputs"] == [0]

    async def test_an_answer_that_is_no_array(self, client, mix):
        body = {"inputs": {"a": [[1, 2]], "b": [[3, 4]]}}
        answer = await client.post(PREDICT.format("mix"), json=body, headers={"accept": MEDIA_TYPE})
        assert "accept application/json" in refused(answer, 406)
        both = {"accept": f"{MEDIA_TYPE}, application/json;q=0.1"}
        answer = await client.post(PREDICT.format("mix"), json=body, headers=both)
        assert answer.json()["outputs"]["sum"] == [[4, 6]]


class TestForms:
    async def test_fields_of_every_kind(self, client, mix):
        files = {
            "a": ("a.npy", write_npy(ROW[:, :2])),
            "b": (None, "[[1, 2]]"),
            "times": (None, "2"),
            "note": ("note.txt", "12 Köche".encode()),
            "raw": ("raw.bin", b"\x00\xff\x01"),
        }
        answer = await client.post(PREDICT.format("mix"), files=files)
        assert answer.json()["outputs"] == {"sum": [[12.2, 11.0]], "note": "12 Köche", "raw": 3}

    async def test_every_fault_is_told(self, client, mix):
        files = [
            ("a", ("a.npy", b"\x93NUMPY no")),
            ("b", (None, "[[1,")),
            ("times", (None, "1")),
            ("times", (None, "2")),
        ]
        answer = await client.post(PREDICT.format("mix"), files=files)
        for name in ("a", "b", "times"):
            refused(answer, 400, ["inputs", name])
        answer = await client.post(PREDICT.format("mix"), files={"c": (None, "1"), "a": ("a", b"\xff\xfe")})
        refused(answer, 400, ["inputs", "a"])
        answer = await client.post(PREDICT.format("mix"), files={"c": (None, "1"), "a": (None, "[[1, 2]]")})
        refused(answer, 400, ["inputs", "c"])
        refused(answer, 400, ["inputs", "b"])

    async def test_a_broken_form(self, send, mix):
        refused(await send("mix", b"x", "multipart/form-data; boundary=b"), 400)
        refused(await send("mix", b"x", "multipart/form-data"), 400)

    async def test_a_file_as_json(self, client, mix):
        inputs = {"a": [[1, 2]], "b": [[3, 4]]}
        for raw in ("AP8B", "data:application/octet-stream;base64,AP8B"):
            answer = await client.post(PREDICT.format("mix"), json={"inputs": {**inputs, "raw": raw}})
            assert answer.json()["outputs"]["raw"] == 3
        answer = await client.post(PREDICT.format("mix"), json={"inputs": {**inputs, "raw": "no base64"}})
        refused(answer, 400, ["inputs", "raw"])

    async def test_a_picture_in_and_out(self, client, deployer, tmp_path):
        class Flip:
            def predict(self, picture: Image, note: str = "") -> Image:
                return Image.from_array(picture.array()[::-1].copy())

        await deployer.deploy(pack(Flip, "flip", folder=tmp_path / "flip"))
        pixels = np.arange(36, dtype=np.uint8).reshape(4, 3, 3)
        files = {"picture": ("p.png", png(pixels), "image/png")}
        answer = await client.post(PREDICT.format("flip"), files=files, headers={"accept": "image/png"})
        assert (answer.headers["content-type"], answer.headers["x-model-version"]) == ("image/png", "1.0.0")
        assert (Image(answer.content).array() == pixels[::-1]).all()
        bad = await client.post(PREDICT.format("flip"), files={"picture": ("p.png", b"no picture")})
        refused(bad, 400, ["inputs", "picture"])


class TestLargeBodies:
    async def test_neither_reading_nor_writing_is_on_the_loop(self, client, deployer, tmp_path, monkeypatch):
        class Echo:
            def predict(self, X: np.ndarray) -> np.ndarray:
                return X

        await deployer.deploy(pack(Echo, "echo", sample_input=np.zeros((1, 4)), folder=tmp_path / "echo"))
        threads = []
        for name in ("_slices", "_dumps"):
            monkeypatch.setattr(large_json, name, _noting(getattr(large_json, name), threads))
        X = np.round(np.random.default_rng(0).random((9000, 4)), 2)
        answer = await client.post(PREDICT.format("echo"), content=orjson.dumps({"inputs": X.tolist()}))
        np.testing.assert_array_equal(answer.json()["outputs"], X)
        assert len(threads) > 2
        assert threading.get_ident() not in threads

    async def test_lists_stay_lists_for_code_that_wants_json(self, client, deployer, write_model):
        await deployer.deploy(write_model("kind", "def predict(self, items: list): return type(items).__name__"))
        for items in ([1.5] * 40_000, [{"a": 1}] * 15_000):
            answer = await client.post(PREDICT.format("kind"), json={"inputs": items})
            assert answer.json()["outputs"] == "list"

    async def test_broken_json(self, client, live):
        body = orjson.dumps({"inputs": ROW.tolist() * 6000})
        assert len(body) > large_json.LARGE_BYTES
        refused(await client.post(PREDICT.format("iris"), content=body[:-9] + b"]}"), 400)
        refused(await client.post(PREDICT.format("iris"), content=body.replace(b"inputs", b"input")), 400, ["inputs"])


def _noting(function, threads):
    def noting(*arguments):
        threads.append(threading.get_ident())
        return function(*arguments)

    return noting


async def test_an_answer_beyond_json(client, deployer, write_model):
    await deployer.deploy(
        write_model("huge", "def predict(self, x: int = 0): return x * 2**80 if x else {'a': [0.0, float('inf')]}"),
        tier="in-process",
    )
    assert "no JSON" in refused(await client.post(PREDICT.format("huge"), json={"inputs": 1}), 502)
    answer = await client.post(PREDICT.format("huge"), json={"inputs": 0})
    assert answer.json()["outputs"] == {"a": [0.0, None]}


async def test_the_openapi_document_has_each_form(router, live, mix):
    found = paths(router)
    iris, mixed = (found[PREDICT.format(name)]["post"] for name in ("iris", "mix"))
    assert set(iris["requestBody"]["content"]) == {"application/json", "multipart/form-data", MEDIA_TYPE}
    assert set(iris["responses"]["200"]["content"]) == {"application/json", MEDIA_TYPE}
    assert set(mixed["requestBody"]["content"]) == {"application/json", "multipart/form-data"}
    assert set(mixed["responses"]["200"]["content"]) == {"application/json"}
    form = mixed["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["properties"]["raw"]["contentEncoding"] == "binary"
    assert form["required"] == ["a", "b"]
