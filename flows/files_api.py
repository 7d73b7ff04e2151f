"""Uploads and downloads: `POST /api/files` and `GET /api/files/{id}`. A file is its owner's."""

from __future__ import annotations

import asyncio
from urllib.parse import quote

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute

from ..connectors.access import Role
from ..connectors.errors import BadInput, NotFound
from ..connectors.file_addresses import file_url
from ..connectors.files import INLINE_TYPES, FileStore
from ..connectors.forms import said
from ..connectors.responses import with_body
from ..connectors.tables import StoredFile
from ..connectors.web import Guard, json_response, read_body
from .endpoints import route

UPLOAD_LIMIT = 50_000_000


class FilesApi:
    """The routes below `/api/files`."""

    def __init__(self, guard: Guard, files: FileStore, limit: int = UPLOAD_LIMIT) -> None:
        self._guard = guard
        self._files = files
        self._limit = limit

    def routes(self) -> list[BaseRoute]:
        """The routes."""
        return [
            route("/api/files", self.upload, "POST"),
            route("/api/files/{id}", self.download, "GET"),
        ]

    async def upload(self, request: Request) -> Response:
        """Keep one file: the body itself (`?name=` names it), or the one file of a multipart form."""
        principal = await self._guard(request, Role.viewer, "upload files")
        body = await read_body(request, self._limit)
        kind = request.headers.get("content-type", "")
        name = request.query_params.get("name", "")
        if kind.startswith("multipart/form-data"):
            body, name, kind = await _single_file(request, body)
        if not body:
            raise BadInput("The upload is empty; send the file as the body, or as the one file of a form.")
        # Of a plain body's type only pictures are believed: curl's default says that everything is a form.
        believed = kind.partition(";")[0].strip() if kind.startswith("image/") else None
        row = await asyncio.to_thread(
            lambda: self._files.put(body, name=name, content_type=believed, owner=principal.id)
        )
        return json_response(_described(row), 201, {"location": file_url(row.id)})

    async def download(self, request: Request) -> Response:
        """A file, to its owner or an admin. Only what can't run scripts is shown in the page."""
        principal = await self._guard(request, Role.viewer, "read files")
        id = request.path_params["id"]
        row = await asyncio.to_thread(self._files.get, id)
        if row.owner is not None and row.owner != principal.id and principal.role < Role.admin:
            raise NotFound(f"There is no file {id[:64]!r}; upload it with POST /api/files.")
        return await file_response(self._files, id)


async def file_response(files: FileStore, id: str) -> Response:
    """A file's content for whoever may see it; that is the caller's to check. Raises NotFound."""
    row = await asyncio.to_thread(files.get, id)
    path = await asyncio.to_thread(files.path, id)
    kind = row.content_type
    shown = kind.partition(";")[0] in INLINE_TYPES
    disposition = "inline" if shown else "attachment"
    headers = {
        "content-disposition": f"{disposition}; filename*=UTF-8''{quote(row.name or row.id, safe='')}",
        "x-content-type-options": "nosniff",
        "content-security-policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'",
        "cache-control": "private, max-age=31536000, immutable",
    }
    return FileResponse(path, media_type=kind if shown else "application/octet-stream", headers=headers)


async def _single_file(request: Request, body: bytes) -> tuple[bytes, str, str]:
    try:
        async with with_body(request.scope, body).form(max_files=2, max_fields=50) as form:
            found = [part for _, part in form.multi_items() if isinstance(part, UploadFile)]
            if len(found) != 1:
                raise BadInput(f"The form has {len(found)} files; send exactly one (`curl -F file=@picture.jpg`).")
            return await found[0].read(), found[0].filename or "", found[0].content_type or ""
    except (HTTPException, MultiPartException) as error:
        raise BadInput(f"The body is no multipart form: {said(error)}") from None


def _described(row: StoredFile) -> dict[str, object]:
    return {
        "id": row.id,
        "url": file_url(row.id),
        "name": row.name,
        "content_type": row.content_type,
        "size": row.size,
        "sha256": row.sha256,
    }
