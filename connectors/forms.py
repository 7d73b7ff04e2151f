"""A multipart form that has come whole: its texts and the contents of its files."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.types import Scope

from .errors import BadInput
from .responses import with_body

MAX_PARTS = 200


async def read_form(scope: Scope, body: bytes) -> tuple[dict[str, list[str | bytes]], dict[str, Any]]:
    """A form's fields, each a list of texts and file contents; and the same for the record, without contents.

    Raises:
        BadInput: it is no multipart form, or has too many parts.
    """
    request = with_body(scope, body)
    fields: dict[str, list[str | bytes]] = {}
    shown: dict[str, Any] = {}
    try:
        async with request.form(max_files=MAX_PARTS, max_fields=MAX_PARTS, max_part_size=len(body) + 1) as form:
            for name, value in form.multi_items():
                if isinstance(value, UploadFile):
                    content = await value.read()
                    if not content and not value.filename:
                        continue  # a file field that was left empty
                    fields.setdefault(name, []).append(content)
                    shown[name] = {"$truncated": len(content), "media_type": value.content_type or ""}
                else:
                    fields.setdefault(name, []).append(value)
                    shown[name] = value
    except (HTTPException, MultiPartException) as error:
        raise BadInput(f"The body is no multipart form: {said(error)}") from None
    return fields, shown


def said(error: HTTPException | MultiPartException) -> str:
    """What is wrong with a form."""
    return error.message if isinstance(error, MultiPartException) else str(error.detail)
