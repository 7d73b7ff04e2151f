"""Values on their way to the server: pictures, files, arrays and pydantic models as JSON."""

from __future__ import annotations

import base64
import dataclasses
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from .connectors.errors import BadInput

_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
# How a file of that type begins.
_STARTS = (
    (b"\x89PNG", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
)


def to_json(value: Any) -> bytes:
    """The value as JSON. Raises BadInput, naming the place of what can't be sent."""
    try:
        return orjson.dumps(plain(value), option=_OPTIONS)
    except TypeError as error:
        raise BadInput(f"The input can't be sent as JSON: {error}.") from None


def plain(value: Any, place: str = "input") -> Any:
    """The value as data that orjson writes; pictures, bytes and files become data URLs.

    Raises:
        BadInput: a file can't be read, or a value is of a kind that can't be sent.
    """
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return data_url(bytes(value))
    if isinstance(value, Path):
        return data_url(read_file(value))
    if isinstance(value, Mapping):
        return {key: plain(item, f"{place}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item, f"{place}[{position}]") for position, item in enumerate(value)]
    return _library_value(value, place)


def _library_value(value: Any, place: str) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if hasattr(value, "reference") and hasattr(value, "pil"):  # connectors.images.Image
        return value.reference()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name), f"{place}.{field.name}")
                for field in dataclasses.fields(value)}  # fmt: skip
    numpy, pillow, pandas = (sys.modules.get(name) for name in ("numpy", "PIL.Image", "pandas"))
    if pillow is not None and isinstance(value, pillow.Image):
        return _picture(value)
    if pandas is not None and isinstance(value, pandas.DataFrame):
        return plain(value.to_dict("records"), place)
    if pandas is not None and isinstance(value, pandas.Series):
        return plain(value.to_list(), place)
    if numpy is not None and isinstance(value, numpy.ndarray):
        is_picture = value.dtype == numpy.uint8 and value.ndim == 3 and value.shape[2] == 3
        return _picture(value) if is_picture else plain(value.tolist(), place)
    if numpy is not None and isinstance(value, numpy.generic):
        return value.item()
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "hex") and hasattr(value, "urn"):  # a UUID
        return str(value)
    raise BadInput(f"{place} is a {type(value).__name__}, which can't be sent; send data, a picture or a file's Path.")


def _picture(value: Any) -> str:
    from .connectors.images import Image

    return Image(value).data_url()


def data_url(content: bytes) -> str:
    """The bytes as a data URL, with the media type that their start tells."""
    return f"data:{_media_type(content)};base64,{base64.b64encode(content).decode()}"


def _media_type(content: bytes) -> str:
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    if content[4:12] in (b"ftypavif", b"ftypavis"):
        return "image/avif"
    return next((kind for start, kind in _STARTS if content.startswith(start)), "application/octet-stream")


def read_file(path: Path) -> bytes:
    """A file's content. Raises BadInput."""
    try:
        return path.expanduser().read_bytes()
    except OSError as error:
        raise BadInput(f"The file {path} can't be read: {error.strerror}.") from None


def one_input(arguments: Sequence[Any], fields: Mapping[str, Any]) -> Any:
    """The one input that `invoke(...)` was given: a value, or fields by name. Raises BadInput."""
    if len(arguments) > 1 or (arguments and fields):
        raise BadInput("Give the input either as one value (a dict, a pydantic model) or as fields by name.")
    return arguments[0] if arguments else dict(fields)
