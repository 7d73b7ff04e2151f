"""Images: every way in and out, what is refused and why, and that nothing is fetched or decoded before its time."""

from __future__ import annotations

import base64
import contextlib
import copy
import io
import json
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image as Pillow
from prefect_worklets.connectors import images
from prefect_worklets.connectors.egress import Egress, Fetched
from prefect_worklets.connectors.errors import BadInput
from prefect_worklets.connectors.files import FileStore
from prefect_worklets.connectors.images import Image, ImageLoader
from pydantic import BaseModel, TypeAdapter, ValidationError

import prefect_worklets


class Request(BaseModel):
    content: Image
    more: list[Image] = []
    maybe: Image | None = None


class Answers(Egress):
    """Answers every URL from a table instead of the network."""

    def __init__(self, answers: dict[str, bytes]) -> None:
        super().__init__()
        self.answers = answers

    async def get(self, url: str) -> Fetched:
        if url not in self.answers:
            return await super().get(url)
        return Fetched(self.answers[url], "text/html", url)


def pixels(height: int = 6, width: int = 4) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def encoded(image: Pillow.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


PNG = encoded(Pillow.fromarray(pixels()), "PNG")
DATA_URL = "data:image/png;base64," + base64.b64encode(PNG).decode()
URL = "https://pictures.example/cat.png?signature=secret"

colours = arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12), st.just(3)))


class TestRoundTrip:
    @settings(deadline=None, max_examples=60)
    @given(colours)
    def test_pixels_survive_json(self, array: Any) -> None:
        text = Request(content=Image.from_array(array)).model_dump_json()
        image = Request.model_validate_json(text).content
        assert np.array_equal(image.array(), array)
        assert (image.height, image.width) == array.shape[:2]
        assert image.array().dtype == np.uint8

    @settings(deadline=None, max_examples=30)
    @given(colours)
    def test_pixels_survive_png_pillow_and_pickle(self, array: Any) -> None:
        image = Image.from_array(array)
        for other in (
            Image.from_bytes(image.png()),
            Image(image.pil()),
            pickle.loads(pickle.dumps(image)),
            copy.deepcopy(image),
            Image(image.data_url()),
        ):
            assert np.array_equal(other.array(), array)

    @settings(max_examples=200)
    @given(st.text(max_size=60))
    def test_any_text_is_an_image_or_a_told_fault(self, text: str) -> None:
        try:
            image = Request(content=text).content  # type: ignore[arg-type]
        except ValidationError as error:
            message = error.errors()[0]["msg"]
        else:
            message = "an image is"
            assert image.reference() == text
        assert "an image is" in message or "data URL" in message or "no image" in message

    @settings(max_examples=200, deadline=None)
    @given(st.binary(max_size=200), st.integers(0, 30))
    def test_any_bytes_are_an_image_or_a_told_fault(self, tail: bytes, keep: int) -> None:
        with contextlib.suppress(BadInput):
            assert Image.from_bytes(PNG[:keep] + tail).array().shape[2] == 3

    @pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # Pillow says what it skips
    @settings(max_examples=60, deadline=None)
    @given(st.data())
    def test_a_damaged_file_is_told(self, data: st.DataObject) -> None:
        format = data.draw(st.sampled_from(["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP"]))
        whole = bytearray(encoded(Pillow.fromarray(pixels(20, 20)), format))
        for _ in range(data.draw(st.integers(1, 8))):
            whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
        with contextlib.suppress(BadInput):
            assert Image.from_bytes(bytes(whole)).array().shape[2] == 3

    @pytest.mark.parametrize("text", [URL, "/api/files/" + "0" * 32, DATA_URL])
    def test_json_has_it_as_it_was_given(self, text: str) -> None:
        assert json.loads(Request(content=text).model_dump_json())["content"] == text  # type: ignore[arg-type]

    def test_a_photograph_is_not_blown_up_to_png(self) -> None:
        photograph = encoded(Pillow.fromarray(pixels()), "JPEG")
        assert Image(photograph).encoded() == (photograph, "image/jpeg")
        assert Image(encoded(Pillow.fromarray(pixels()), "BMP")).encoded()[1] == "image/png"


class TestModel:
    def test_takes_every_kind(self, tmp_path: object) -> None:
        for value in (DATA_URL, PNG, bytearray(PNG), memoryview(PNG), pixels(), Pillow.fromarray(pixels())):
            image = TypeAdapter(Image).validate_python(value)
            assert np.array_equal(image.array(), pixels())
        image = Image(PNG)
        assert TypeAdapter(Image).validate_python(image) is image

    def test_knows_its_field(self) -> None:
        request = Request(content=Image(PNG), more=[Image(PNG)], maybe=Image(PNG))
        assert (request.content.field, request.more[0].field) == ("content", "more")
        assert request.maybe is not None
        assert request.maybe.field == "maybe"

    def test_an_image_keeps_the_field_it_has(self) -> None:
        image = Image(PNG)
        Request(content=image)
        assert image.field is None

    def test_schema(self) -> None:
        schema = Request.model_json_schema()["properties"]["content"]
        assert (schema["type"], schema["format"]) == ("string", "image")
        assert Request.model_json_schema(mode="serialization")["properties"]["content"] == schema

    def test_python_mode_keeps_the_object(self) -> None:
        request = Request(content=Image(PNG))
        assert request.model_dump()["content"] is request.content

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            ("cat", "Found the text 'cat'; an image is a URL, a data URL, an uploaded file's address"),
            ("", "Found the text ''"),
            ("ftp://a/b.png", "Found the text 'ftp://a/b.png'"),
            ("file:///etc/passwd", "Found the text 'file:///etc/passwd'"),
            ("/api/files/short", "Found the text '/api/files/short'"),
            ("http://", "Found the text"),
            ("http://[::1", "Found the text"),
            ("https://a.example/\nx", "Found the text"),
            ("https://a.example/" + "x" * 9000, "(9018 characters)"),
            (base64.b64encode(bytes(300)).decode(), "Base64 needs `data:image/png;base64,` before it"),
            ("data:image/png,abc", "not base64"),
            ("data:image/png;base64,####", "base64 is broken"),
            ("data:image/png;base64,é", "base64 is broken"),
            ("data:image/png;base64,", "0 bytes"),
            ("data:image/svg+xml;base64," + base64.b64encode(b"<svg/>").decode(), "no image of PNG, JPEG, WEBP"),
            (b"", "0 bytes"),
            (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no image of PNG"),
            (None, "Found a NoneType"),
            (7, "Found a int"),
            ([1, 2], "Found a list"),
            (np.zeros((2, 2, 3)), "array of float64 with the shape (2, 2, 3)"),
            (np.zeros((2, 2), "uint8"), "shape (2, 2)"),
            (np.zeros((2, 2, 4), "uint8"), "shape (2, 2, 4)"),
            (np.zeros((0, 2, 3), "uint8"), "shape (0, 2, 3)"),
        ],
    )
    def test_says_what_was_found_and_what_is_allowed(self, value: Any, message: str) -> None:
        with pytest.raises(ValidationError) as raised:
            Request(content=value)
        (fault,) = raised.value.errors()
        assert fault["loc"] == ("content",)
        assert message in fault["msg"]
        assert len(fault["msg"]) < 400

    def test_every_fault_is_told(self) -> None:
        with pytest.raises(ValidationError) as raised:
            Request.model_validate({"content": "x", "more": ["y", DATA_URL, "{z}"]})
        assert [fault["loc"] for fault in raised.value.errors()] == [("content",), ("more", 0), ("more", 2)]
        assert "'{z}'" in raised.value.errors()[2]["msg"]


class TestLimits:
    def test_pixels_by_the_header_alone(self) -> None:
        bomb = encoded(Pillow.new("1", (20_000, 20_000)), "PNG")
        assert len(bomb) < 100_000
        with pytest.raises(BadInput, match=r"pixels"):
            Image.from_bytes(bomb)

    def test_pixels_below_what_pillow_allows(self) -> None:
        with pytest.raises(BadInput, match=r"8000 x 8000 pixels and may have 50,000,000"):
            Image.from_bytes(encoded(Pillow.new("1", (8000, 8000)), "PNG"))

    def test_bytes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(images, "MAX_BYTES", 50)
        for value in (PNG, DATA_URL):
            with pytest.raises(BadInput, match="50"):
                Image(value)

    @pytest.mark.parametrize("made", ["pillow", "array"])
    def test_pixels_already_decoded(self, made: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(images, "MAX_PIXELS", 10)
        with pytest.raises(BadInput, match="4 x 6 pixels and may have 10"):
            Image(Pillow.fromarray(pixels()) if made == "pillow" else pixels())


class TestPixels:
    def test_stands_upright(self) -> None:
        exif = Pillow.Exif()
        exif[0x0112] = 6
        image = Image(encoded(Pillow.fromarray(pixels(6, 4)), "JPEG", exif=exif))
        assert (image.width, image.height) == (6, 4)
        assert image.array().shape == (4, 6, 3)

    @pytest.mark.parametrize(
        ("mode", "colour", "seen"),
        [
            ("L", 7, (7, 7, 7)),
            ("1", 1, (255, 255, 255)),
            ("RGBA", (255, 0, 0, 0), (255, 255, 255)),
            ("RGBA", (0, 0, 0, 255), (0, 0, 0)),
            ("LA", (0, 0), (255, 255, 255)),
            ("I;16", 128 * 256, (128, 128, 128)),
        ],
    )
    def test_every_mode_becomes_rgb(self, mode: str, colour: Any, seen: tuple[int, int, int]) -> None:
        image = Image(encoded(Pillow.new(mode, (3, 2), colour), "PNG"))
        assert image.array().shape == (2, 3, 3)
        assert tuple(image.array()[0, 0]) == seen

    def test_transparent_palette(self) -> None:
        image = Pillow.new("P", (2, 2), 0)
        image.putpalette([255, 0, 0])
        assert tuple(Image(encoded(image, "GIF", transparency=0)).array()[0, 0]) == (255, 255, 255)

    @pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
    def test_reads_every_format(self, format: str) -> None:
        assert Image(encoded(Pillow.new("RGB", (16, 9), "white"), format)).array().mean() > 250

    def test_a_cut_file_is_told_with_its_field(self) -> None:
        whole = encoded(Pillow.fromarray(pixels(50, 50)), "PNG")
        image = Request(content=whole[: len(whole) // 2]).content  # type: ignore[arg-type]
        with pytest.raises(BadInput, match="is broken") as raised:
            image.array()
        assert raised.value.faults[0].loc == ("content",)


class TestLoad:
    @pytest.fixture
    def loader(self, files: FileStore) -> ImageLoader:
        return ImageLoader(files, Answers({URL: PNG, "https://pictures.example/page": b"<html>"}))

    async def test_from_a_url(self, loader: ImageLoader) -> None:
        image = Request(content=URL).content  # type: ignore[arg-type]
        loaded = await image.load(loader)
        assert np.array_equal(loaded.array(), pixels())
        assert (loaded.reference(), loaded.field, loaded.loaded) == (URL, "content", True)
        assert not image.loaded

    async def test_from_a_file(self, loader: ImageLoader, files: FileStore) -> None:
        row = files.put(PNG)
        loaded = await Image(f"/api/files/{row.id}").load(loader)
        assert np.array_equal(loaded.array(), pixels())
        assert loaded.reference() == f"/api/files/{row.id}"

    async def test_what_is_there_is_not_loaded_again(self, loader: ImageLoader) -> None:
        image = Image(DATA_URL)
        assert await image.load(loader) is image

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("https://pictures.example/page", "no image of PNG"),
            ("http://127.0.0.1/cat.png", "127.0.0.1 is not fetched: it is a loopback address"),
            ("http://169.254.169.254/latest/meta-data", "link-local"),
            ("/api/files/" + "0" * 32, "There is no file"),
        ],
    )
    async def test_a_failure_names_the_field(self, loader: ImageLoader, text: str, message: str) -> None:
        image = Request(content=text).content  # type: ignore[arg-type]
        with pytest.raises(BadInput, match="content is no usable image") as raised:
            await image.load(loader)
        (fault,) = raised.value.faults
        assert fault.loc == ("content",)
        assert message in fault.msg

    async def test_without_a_file_store(self) -> None:
        with pytest.raises(BadInput, match="no file store"):
            await Image("/api/files/" + "0" * 32).load(ImageLoader(None, Egress()))

    def test_pixels_before_loading_say_what_to_do(self) -> None:
        with pytest.raises(BadInput, match=r"await image\.load\(loader\)"):
            Image(URL).array()


class TestStored:
    async def test_json_then_carries_the_address(self, files: FileStore) -> None:
        image = await Image.from_array(pixels()).stored(files, name="result.png", owner="u")
        assert image.file is not None
        row = files.get(image.file)
        assert (row.content_type, row.name, row.owner) == ("image/png", "result.png", "u")
        assert Request(content=image).model_dump(mode="json")["content"] == f"/api/files/{row.id}"
        assert await image.stored(files) is image

    async def test_a_url_is_to_be_loaded_first(self, files: FileStore) -> None:
        with pytest.raises(BadInput, match="not been fetched"):
            await Image(URL).stored(files)


class TestText:
    @pytest.mark.parametrize("value", [URL, DATA_URL, PNG, pixels()])
    def test_repr_tells_neither_secrets_nor_contents(self, value: Any) -> None:
        text = repr(Image(value))
        assert "secret" not in text
        assert len(text) < 80


def test_importing_it_imports_neither_pillow_nor_numpy() -> None:
    code = f"""
import sys, types
face = sys.modules["prefect_worklets"] = types.ModuleType("prefect_worklets")  # the face imports more
face.__path__ = {list(prefect_worklets.__path__)!r}
from prefect_worklets.connectors.images import Image
Image("https://a.example/x.png")
print([name for name in ("PIL", "numpy", "httpx") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
