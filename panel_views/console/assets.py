"""The console's static files, with the hash of their content in the URL so that browsers may keep them for good."""

from __future__ import annotations

import hashlib
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..branding import Brand

FOLDER = Path(__file__).parent / "static"
PREFIX = "/console/static"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class Assets:
    """The files of a folder, read once, and the colours of the brand."""

    def __init__(self, brand: Brand, folder: Path = FOLDER) -> None:
        self._files: dict[str, tuple[bytes, str]] = {}
        self._urls: dict[str, str] = {}
        for path in sorted(folder.rglob("*")):
            if path.suffix in _TYPES:
                self._add(path, path.read_bytes())
        self._add(Path("brand.css"), brand.console_css().encode())

    def _add(self, path: Path, content: bytes) -> None:
        marked = f"{path.stem}.{hashlib.sha256(content).hexdigest()[:12]}{path.suffix}"
        self._files[marked] = (content, _TYPES[path.suffix])
        self._urls[path.name] = f"{PREFIX}/{marked}"

    def url(self, name: str) -> str:
        """The address of a file. Raises KeyError for one that is not there."""
        return self._urls[name]

    async def answer(self, request: Request) -> Response:
        """The file named in the path."""
        found = self._files.get(request.path_params["name"])
        if found is None:
            return Response("There is no such file.", 404, media_type="text/plain")
        headers = {"cache-control": "public, max-age=31536000, immutable", "x-content-type-options": "nosniff"}
        return Response(found[0], headers=headers, media_type=found[1])

    def route(self) -> Route:
        """The route that serves them; open to all, for the login page needs them."""
        return Route(f"{PREFIX}/{{name}}", self.answer, methods=["GET"])
