"""A project's source tree as one archive: packed the same way each time, and unpacked without trust."""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ..connectors.errors import BadInput, FaultList, TooLarge

MAX_FILES = 5_000
MAX_BYTES = 200_000_000
# What a push leaves behind, besides everything whose name begins with a dot.
IGNORED_FOLDERS = frozenset({"__pycache__", "venv", "env", "node_modules", "build", "dist", "site-packages"})
IGNORED_SUFFIXES = (".pyc", ".pyo", ".egg-info", "~", ".swp")
# A folder that holds both is a data directory of the server, which may lie inside the project.
_DATA_MARKS = ("secret.key", "worklets.db")


def source_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Each file of a source tree that belongs in the bundle: its name inside it, and its path; sorted.

    Raises:
        BadInput: the folder doesn't exist, or a link leads out of it.
    """
    if not folder.is_dir():
        raise BadInput(f"There is no folder {str(folder)!r}; give the project's folder.")
    root = folder.resolve()
    faults = FaultList()
    found: list[tuple[str, Path]] = []
    for path in _walk(folder):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() and not path.resolve().is_relative_to(root):
            faults.add((name,), f"it links to {path.resolve()}, outside the project.", fix="copy the file into it")
        elif path.is_file():
            found.append((name, path))
    faults.raise_if_any("The project can't be packed.")
    yield from sorted(found)


def _walk(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name.endswith(IGNORED_SUFFIXES):
            continue
        if path.is_dir() and not path.is_symlink():
            is_data = all((path / mark).exists() for mark in _DATA_MARKS)
            if path.name not in IGNORED_FOLDERS and not is_data:
                yield from _walk(path)
        else:
            yield path


def tree_hash(folder: Path) -> str:
    """The content hash of a source tree: of names and contents alone. 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for name, path in source_files(folder):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{len(name.encode())}:{name}:{content}\n".encode())
    return digest.hexdigest()


def pack(folder: Path) -> bytes:
    """The source tree as a tar.gz; the same tree gives the same bytes. Raises BadInput, TooLarge."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for count, (name, path) in enumerate(source_files(folder), 1):
            content = path.read_bytes()
            if count > MAX_FILES or buffer.tell() + len(content) > MAX_BYTES:
                raise TooLarge(
                    f"The project in {folder} has more than {MAX_FILES} files or {MAX_BYTES // 1_000_000} MB; "
                    "move data and models out of it."
                )
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), compresslevel=6, mtime=0)


def unpack(bundle: bytes, folder: Path) -> None:
    """Write a bundle's files below `folder`, which must exist.

    Raises:
        BadInput: it is no bundle, or an entry is a link, a device, or leads out of the folder.
        TooLarge: it unpacks to too many files or bytes.
    """
    try:
        content = _unzipped(bundle)
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
            members = archive.getmembers()
            _check_members(members)
            for member in members:
                if not member.isfile():
                    continue
                source = archive.extractfile(member)
                assert source is not None  # a regular file has content
                target = folder / PurePosixPath(member.name)
                target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                target.write_bytes(source.read())
    except (tarfile.TarError, zlib.error, OSError, EOFError, ValueError) as error:
        raise BadInput(f"The body is no project bundle (a tar.gz of a source tree): {error}.") from None


def _unzipped(bundle: bytes) -> bytes:
    with gzip.open(io.BytesIO(bundle)) as stream:
        # PAX headers and padding come on top of the files' own bytes.
        content = stream.read(MAX_BYTES + MAX_FILES * 2048 + 1)
    if len(content) > MAX_BYTES + MAX_FILES * 2048:
        raise TooLarge(f"The bundle unpacks to more than {MAX_BYTES // 1_000_000} MB; move data and models out of it.")
    return content


def _check_members(members: list[tarfile.TarInfo]) -> None:
    if len(members) > MAX_FILES:
        raise TooLarge(f"The bundle has {len(members)} entries and may have {MAX_FILES}.")
    faults = FaultList()
    seen: set[str] = set()
    for member in members:
        parts = PurePosixPath(member.name).parts
        if not (member.isfile() or member.isdir()):
            faults.add((member.name,), "it is a link or a device; only files may be in a bundle.")
        elif not parts or member.name.startswith("/") or ".." in parts or "\\" in member.name or "\0" in member.name:
            faults.add((member.name,), "it leads out of the project's folder.")
        elif member.isfile() and str(PurePosixPath(member.name)) in seen:
            faults.add((member.name,), "it is there twice.")
        seen.add(str(PurePosixPath(member.name)))
    faults.raise_if_any("The bundle can't be unpacked.")


def project_name(folder: Path) -> str:
    """The name of a project directory: its own, as far as a name may hold it."""
    name = re.sub(r"[^a-z0-9._-]+", "-", folder.resolve().name.lower()).strip("-._")
    return name[:63] or "project"
