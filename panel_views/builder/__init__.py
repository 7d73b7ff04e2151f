"""The builder's scripts and styles, as they are sent to the browser: plain ES modules, no build step."""

from __future__ import annotations

import hashlib
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

FOLDER = Path(__file__).parent / "static"
PREFIX = "/console/builder"
_TYPES = {".css": "text/css", ".js": "text/javascript"}


class BuilderFiles:
    """The files, read once. The address holds the hash of all: modules import each other by their plain names."""

    def __init__(self) -> None:
        self._files = {
            path.name: (path.read_bytes(), _TYPES[path.suffix])
            for path in sorted(FOLDER.iterdir())
            if path.suffix in _TYPES
        }
        version = hashlib.sha256(b"".join(content for content, _ in self._files.values())).hexdigest()[:12]
        self.address = f"{PREFIX}/{version}"

    @property
    def scripts(self) -> list[str]:
        """The scripts' names, for the browser to fetch all at once."""
        return [name for name, (_, kind) in self._files.items() if kind == "text/javascript"]

    async def answer(self, request: Request) -> Response:
        """The file named in the path; open to all, as the console's other files are."""
        found = self._files.get(request.path_params["name"])
        if found is None:
            return Response("There is no such file.", 404, media_type="text/plain")
        current = self.address.endswith(str(request.path_params["version"]))
        keep = "public, max-age=31536000, immutable" if current else "no-cache"
        headers = {"cache-control": keep, "x-content-type-options": "nosniff"}
        return Response(found[0], headers=headers, media_type=found[1])

    def route(self) -> Route:
        """The route that serves them."""
        return Route(f"{PREFIX}/{{version}}/{{name}}", self.answer, methods=["GET"])
