"""`Image`: a picture as a worklet's input or output, from an address, bytes or pixels.

Cheap until its pixels are asked for: Pillow and numpy are imported, and pixels decoded, at first use.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import copy
import io
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeGuard
from urllib.parse import unquote, urlsplit

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from .errors import BadInput, Fault, NotFound
from .file_addresses import file_id, file_url

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image as PillowImage

    from .egress import Egress
    from .files import FileStore

    Pixels = NDArray[np.uint8]

MAX_BYTES = 25_000_000
MAX_PIXELS = 50_000_000
# Formats that Pillow reads by itself; others (EPS, PDF) would start programs or fetch things.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
ALLOWED = "a URL, a data URL, an uploaded file's address (/api/files/...), or image bytes"
_MAX_URL = 8_192
# Formats that every browser shows: their bytes may leave as they came.
_WEB_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "GIF": "image/gif"}


@dataclass(frozen=True, slots=True)
class ImageLoader:
    """Where images come from: the file store (None if there is none) and the guarded way to other hosts."""

    files: FileStore | None
    egress: Egress


class Image:
    """A picture. Takes a data URL, an http(s) URL, a stored file's address, encoded bytes, a Pillow image,
    or a numpy array (uint8, height x width x 3).

    A URL or file is fetched by `await image.load(loader)`; the rest is there at once. Treat it as a value:
    do not write into the array it gives.

    Attributes:
        url: the http(s) URL it was given as, if it was.
        file: the id of the stored file, if it is one.
        field: the field of the input that it came in, for messages.

    Raises:
        BadInput: it is no image, is broken, or is over the limits of bytes and pixels.
    """

    __slots__ = ("_array", "_content", "_format", "_pil", "field", "file", "url")

    def __init__(self, value: object, *, field: str | None = None) -> None:
        self.field = field
        self.url: str | None = None
        self.file: str | None = None
        self._content: bytes | None = None
        self._format: str | None = None
        self._pil: PillowImage.Image | None = None
        self._array: Pixels | None = None
        if isinstance(value, str):
            self._take_text(value)
        elif isinstance(value, bytes | bytearray | memoryview):
            self._take_bytes(bytes(value))
        elif _is_array(value):
            self._array = _checked_array(value, field)
        elif _is_pillow(value):
            self._pil = _rgb(value, field)
        else:
            raise _refuse(f"found a {type(value).__name__}; an image is {ALLOWED}.", field)

    @classmethod
    def from_bytes(cls, content: bytes, *, field: str | None = None) -> Image:
        """The image that these bytes (PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF) encode. Raises BadInput."""
        return cls(content, field=field)

    @classmethod
    def from_array(cls, array: Pixels, *, field: str | None = None) -> Image:
        """The image of these pixels (uint8, height x width x 3, red green blue). Raises BadInput."""
        return cls(array, field=field)

    # --- what it holds ------------------------------------------------------------------------------

    @property
    def loaded(self) -> bool:
        """Whether the pixels can be had without fetching."""
        return self._content is not None or self._array is not None or self._pil is not None

    def pil(self) -> PillowImage.Image:
        """The Pillow image: RGB, upright (EXIF applied), transparent parts white. Raises BadInput."""
        if self._pil is None:
            if self._array is not None:
                from PIL import Image as Pillow

                self._pil = Pillow.fromarray(self._array)
            else:
                self._pil = _decode(self._need_content(), self.field)
        return self._pil

    def array(self) -> Pixels:
        """The pixels: uint8, height x width x 3, red green blue, upright. Raises BadInput."""
        if self._array is None:
            import numpy as np

            self._array = np.array(self.pil())
        return self._array

    def png(self) -> bytes:
        """The pixels as a PNG file. Raises BadInput."""
        buffer = io.BytesIO()
        self.pil().save(buffer, "PNG", compress_level=3)
        return buffer.getvalue()

    def encoded(self) -> tuple[bytes, str]:
        """A file of it that every browser shows, and its media type: as it came, or else PNG. Raises BadInput."""
        if self._content is not None and self._format in _WEB_TYPES:
            return self._content, _WEB_TYPES[self._format]
        return self.png(), "image/png"

    @property
    def width(self) -> int:
        """Pixels from left to right, upright."""
        return self.pil().width if self._array is None else int(self._array.shape[1])

    @property
    def height(self) -> int:
        """Pixels from top to bottom, upright."""
        return self.pil().height if self._array is None else int(self._array.shape[0])

    def data_url(self) -> str:
        """The image inside a `data:` URL. Raises BadInput."""
        content, content_type = self.encoded()
        return f"data:{content_type};base64,{base64.b64encode(content).decode()}"

    def reference(self) -> str:
        """How it is written in JSON: its file's address, else its URL as given, else a data URL."""
        if self.file is not None:
            return file_url(self.file)
        return self.url if self.url is not None else self.data_url()

    def __repr__(self) -> str:
        if self.file is not None:
            return f"Image({file_url(self.file)})"
        if self.url is not None:  # without its query, which may hold a signature
            return f"Image({urlsplit(self.url)._replace(query='', fragment='').geturl()})"
        return f"Image({len(self._content)} bytes of {self._format})" if self._content else "Image(pixels)"

    # --- in and out ---------------------------------------------------------------------------------

    async def load(self, loader: ImageLoader) -> Image:
        """The same image with its content there; itself if it is already.

        Raises:
            BadInput: the host is refused or failed, the file is unknown, or it is no image; the fault names `field`.
        """
        if self.loaded:
            return self
        try:
            if self.file is not None:
                content = await _stored(loader.files, self.file)
            else:
                content = (await loader.egress.get(self.url or "")).content
        except (BadInput, NotFound) as error:
            raise _refuse(error.detail, self.field) from error
        image = copy.copy(self)
        image._take_bytes(content)
        return image

    async def stored(self, files: FileStore, *, name: str = "", owner: str | None = None) -> Image:
        """The same image kept in the file store, so that JSON carries its short address. Raises BadInput."""
        if self.file is not None:
            return self

        def put() -> str:
            content, content_type = self.encoded()
            return files.put(content, name=name, content_type=content_type, owner=owner).id

        image = copy.copy(self)
        image.file = await asyncio.to_thread(put)
        return image

    def _need_content(self) -> bytes:
        if self._content is None:
            raise _refuse(f"{self!r} has not been fetched yet; `await image.load(loader)` first.", self.field)
        return self._content

    def _take_text(self, text: str) -> None:
        if text[:5].lower() == "data:":
            self._take_bytes(_data_url_content(text, self.field))
            return
        self.file = file_id(text)
        if self.file is None:
            self.url = _checked_url(text, self.field)

    def _take_bytes(self, content: bytes) -> None:
        self._format = _checked_format(content, self.field)
        self._content = content

    # --- pydantic -----------------------------------------------------------------------------------

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            cls._validate,
            serialization=core_schema.plain_serializer_function_ser_schema(
                cls.reference, return_schema=core_schema.str_schema(), when_used="json"
            ),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {
            "type": "string",
            "format": "image",
            "title": "Image",
            "description": "An image: a URL, a data URL, or the address of an uploaded file (/api/files/...).",
        }

    @classmethod
    def _validate(cls, value: Any, info: ValidationInfo) -> Image:
        if isinstance(value, Image):
            if value.field is not None or info.field_name is None:
                return value
            named = copy.copy(value)
            named.field = info.field_name
            return named
        try:
            return cls(value, field=info.field_name)
        except BadInput as error:
            # Pydantic says the place itself; and through a context, as the reason may hold braces.
            reason = error.faults[0].msg if error.faults else error.detail
            raise PydanticCustomError("image", "{reason}", {"reason": reason}) from None


def _refuse(detail: str, field: str | None) -> BadInput:
    message = detail[:1].upper() + detail[1:]
    if field is None:
        return BadInput(message)
    return BadInput(f"{field} is no usable image.", faults=[Fault((field,), message, "image")])


async def _stored(files: FileStore | None, id: str) -> bytes:
    if files is None:
        raise BadInput(f"{file_url(id)} cannot be read here, as there is no file store; send the image itself.")
    return await asyncio.to_thread(files.read, id)


def _checked_url(text: str, field: str | None) -> str:
    try:
        parts = urlsplit(text)
        host = parts.hostname
    except ValueError:
        parts, host = urlsplit(""), None
    if parts.scheme.lower() in ("http", "https") and host and len(text) <= _MAX_URL and text.isprintable():
        return text
    found = f"the text {text[:40]!r}" + (f"... ({len(text)} characters)" if len(text) > 40 else "")
    hint = " Base64 needs `data:image/png;base64,` before it." if len(text) > 200 and not host else ""
    raise _refuse(f"found {found}; an image is {ALLOWED}.{hint}", field)


def _data_url_content(text: str, field: str | None) -> bytes:
    head, comma, payload = text.partition(",")
    if not comma or not head.lower().endswith(";base64"):
        raise _refuse(f"found the data URL {head[:40]!r} that is not base64; write `data:image/png;base64,...`.", field)
    if len(payload) > MAX_BYTES * 4 / 3 + 4:
        raise _refuse(f"the data URL holds more than the {MAX_BYTES:,} bytes that an image may have.", field)
    try:
        return base64.b64decode(unquote(payload) if "%" in payload else payload, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _refuse(f"the data URL's base64 is broken ({error}).", field) from None


def _checked_format(content: bytes, field: str | None) -> str:
    """The format of the image, from its header alone; refuses what is no image or too large."""
    if len(content) > MAX_BYTES:
        raise _refuse(f"the image has {len(content):,} bytes and may have {MAX_BYTES:,}.", field)
    from PIL import Image as Pillow
    from PIL import UnidentifiedImageError

    try:
        with Pillow.open(io.BytesIO(content), formats=FORMATS) as opened:
            width, height, found = opened.width, opened.height, opened.format or ""
    except UnidentifiedImageError:
        start = content[:16]
        raise _refuse(
            f"found {len(content):,} bytes starting {start!r}, which is no image of {', '.join(FORMATS)}.", field
        ) from None
    except (Pillow.DecompressionBombError, Pillow.DecompressionBombWarning):
        raise _refuse(f"the image is larger than the {MAX_PIXELS:,} pixels allowed; scale it down.", field) from None
    except Exception as error:  # Pillow's readers raise many kinds on a broken header
        raise _refuse(f"the image is broken ({error}).", field) from None
    if width * height > MAX_PIXELS:
        raise _refuse(
            f"the image has {width} x {height} pixels and may have {MAX_PIXELS:,}; scale it down.", field
        ) from None
    return found


def _decode(content: bytes, field: str | None) -> PillowImage.Image:
    from PIL import Image as Pillow

    try:
        with Pillow.open(io.BytesIO(content), formats=FORMATS) as opened:
            opened.load()
            return _rgb(opened, field)
    except BadInput:
        raise
    except Exception as error:  # a cut or damaged file raises OSError, SyntaxError, struct.error, ...
        raise _refuse(f"the image is broken ({error}); send it again.", field) from None


def _rgb(image: PillowImage.Image, field: str | None) -> PillowImage.Image:
    from PIL import Image as Pillow
    from PIL import ImageOps

    if image.width * image.height > MAX_PIXELS:
        raise _refuse(f"the image has {image.width} x {image.height} pixels and may have {MAX_PIXELS:,}.", field)
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I;16"):  # 16 bits a pixel: Pillow's own conversion cuts off instead of scaling
        upright = upright.point(lambda level: level / 256).convert("L")
    if upright.has_transparency_data:
        layer = upright.convert("RGBA")
        upright = Pillow.alpha_composite(Pillow.new("RGBA", layer.size, "white"), layer)
    return upright.convert("RGB")


def _checked_array(array: Any, field: str | None) -> Pixels:
    if array.dtype != "uint8" or array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        raise _refuse(
            f"found an array of {array.dtype} with the shape {array.shape}; an image is uint8, height x width x 3 "
            "(from floats: `(pixels * 255).astype('uint8')`).",
            field,
        )
    if array.shape[0] * array.shape[1] > MAX_PIXELS:
        raise _refuse(f"the array has {array.shape[1]} x {array.shape[0]} pixels and may have {MAX_PIXELS:,}.", field)
    checked: Pixels = array
    return checked


# Neither library need be imported to know that a value is not of it.
def _is_array(value: object) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray)


def _is_pillow(value: object) -> TypeGuard[PillowImage.Image]:
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(value, pillow.Image)
