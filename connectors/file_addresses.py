"""The addresses of stored files: `/api/files/` and the file's id."""

from __future__ import annotations

import re

FILES_ROUTE = "/api/files/"
_ID = re.compile(r"[0-9a-f]{32}")


def file_url(id: str) -> str:
    """The address, without host, at which a file is served."""
    return FILES_ROUTE + id


def file_id(url: str) -> str | None:
    """The file's id in an address made by `file_url`; None if it is no such address."""
    id = url.removeprefix(FILES_ROUTE)
    return id if id != url and _ID.fullmatch(id) else None
