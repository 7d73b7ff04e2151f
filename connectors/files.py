"""Files of users and runs: a row in the store, the content in a folder under its hash.

The id is random and unguessable; equal contents share one file on disk.
"""

from __future__ import annotations

import hashlib
import mimetypes
import os
import re
import tempfile
import time
from pathlib import Path

from .errors import BadInput, NotFound
from .file_addresses import FILES_ROUTE, file_id, file_url
from .store import Store
from .tables import StoredFile

DEFAULT_TYPE = "application/octet-stream"
# What a browser may show from our origin. Anything else (HTML and SVG run scripts) is to be a download.
INLINE_TYPES = frozenset(
    {"image/png", "image/jpeg", "image/webp", "image/gif", "image/avif", "image/bmp", "text/plain", "application/json"}
    | {"audio/mpeg", "audio/wav", "audio/x-wav", "audio/ogg", "audio/mp4", "audio/flac", "audio/x-flac", "audio/webm"}
    | {"video/mp4", "video/webm", "video/ogg"}
)
# A partial write older than this belongs to no living writer.
PARTIAL_LIFE_SECONDS = 3600.0
_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(;\s*charset=[\w-]+)?")
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"%PDF-", "application/pdf"),
)


class FileStore:
    """Keeps files by content hash. Safe to share between threads and processes; blocking.

    Args:
        store: where the rows are.
        folder: where the contents are; made when the first file comes.
    """

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._folder = folder

    def put(
        self, content: bytes, *, name: str = "", content_type: str | None = None, owner: str | None = None
    ) -> StoredFile:
        """Keep `content` and return its row, once both are on disk.

        Args:
            content: the bytes, which may be empty.
            name: the file's name for people; any folder in it is dropped.
            content_type: the media type, guessed from content and name if None.
            owner: the principal's id whose file it is.

        Raises:
            BadInput: `content_type` is no media type.
        """
        shown = name.replace("\\", "/").rpartition("/")[2].strip()[:200]
        if content_type is not None and not _TYPE.fullmatch(content_type):
            raise BadInput(f"{content_type!r} is no media type; send one such as image/png, or none.")
        file = StoredFile(
            owner=owner,
            name="".join(letter for letter in shown if letter.isprintable()),
            content_type=content_type or _guess_type(content, shown),
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
        )
        self._write(content, self._content_path(file.sha256))
        with self._store.session() as session:
            session.add(file)
        return file

    def get(self, id: str) -> StoredFile:
        """The row of a file. Raises NotFound."""
        row = None
        if file_id(file_url(id)) is not None:
            with self._store.read() as session:
                row = session.get(StoredFile, id)
        if row is None:
            raise NotFound(f"There is no file {id[:64]!r}; upload it with POST {FILES_ROUTE.rstrip('/')}.")
        return row

    def path(self, id: str) -> Path:
        """Where a file's content lies, to read only. Raises NotFound."""
        row = self.get(id)
        path = self._content_path(row.sha256)
        if not path.is_file():
            raise NotFound(f"The content of the file {id!r} is gone from {path}; restore it from a backup.")
        return path

    def read(self, id: str) -> bytes:
        """A file's content. Raises NotFound."""
        return self.path(id).read_bytes()

    def sweep(self, older_than: float = PARTIAL_LIFE_SECONDS) -> int:
        """Remove what writers that died left half-written, older than so many seconds; returns how many."""
        swept = 0
        for path in self._partial.glob("*"):
            try:
                if path.stat().st_mtime < time.time() - older_than:
                    path.unlink()
                    swept += 1
            except FileNotFoundError:  # its writer finished, or another sweep was quicker
                continue
        return swept

    @property
    def _partial(self) -> Path:
        return self._folder / "partial"

    def _content_path(self, sha256: str) -> Path:
        return self._folder / sha256[:2] / sha256

    def _write(self, content: bytes, path: Path) -> None:
        if path.exists() and path.stat().st_size == len(content):
            return
        self._partial.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, partial = tempfile.mkstemp(dir=self._partial)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, path)
        except BaseException:
            Path(partial).unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)


def _guess_type(content: bytes, name: str) -> str:
    for magic, found in _MAGIC:
        if content.startswith(magic):
            return found
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return mimetypes.guess_type(name)[0] or DEFAULT_TYPE


def _sync_folder(folder: Path) -> None:
    # The rename is on disk only once the folder is.
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
