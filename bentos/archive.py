"""A package as one `.tar.gz`, and back. What comes from outside may be hostile: nothing leaves its folder."""

from __future__ import annotations

import gzip
import hashlib
import tarfile
import tempfile
import zlib
from pathlib import Path, PurePosixPath

from ..connectors.errors import BadInput, TooLarge

MAX_UNPACKED = 4_000_000_000
MAX_MEMBERS = 10_000


def archive(folder: Path, target: Path | None = None) -> tuple[Path, str]:
    """Write the package as `.tar.gz`; returns its path and SHA-256. Equal packages give equal bytes."""
    if target is None:
        handle, name = tempfile.mkstemp(prefix="worklets-package-", suffix=".tar.gz")
        target = Path(name)
        file = open(handle, "wb")  # noqa: SIM115 - closed below
    else:
        file = target.open("wb")
    with (
        file,
        gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0, compresslevel=1) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                _add(tar, path, path.relative_to(folder).as_posix())
    with target.open("rb") as written:
        return target, hashlib.file_digest(written, "sha256").hexdigest()


def _add(tar: tarfile.TarFile, path: Path, name: str) -> None:
    member = tarfile.TarInfo(name)
    member.size = path.stat().st_size
    member.mode = 0o644
    with path.open("rb") as content:
        tar.addfile(member, content)


def unarchive(source: Path, folder: Path, *, sha256: str | None = None, max_bytes: int = MAX_UNPACKED) -> Path:
    """Unpack into `folder`, which is made, and return it. Only plain files inside it are written.

    Raises:
        BadInput: the hash differs, it is no archive, or a member is a link, a device, or lies outside the folder.
        TooLarge: it unpacks to more than `max_bytes` or `MAX_MEMBERS` files.
    """
    if sha256 is not None:
        with source.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != sha256.lower():
            raise BadInput(f"The archive's SHA-256 is {found}, and {sha256} was announced; send it again.")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(source, mode="r:gz") as tar:
            _extract(tar, folder, max_bytes)
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise BadInput(f"This is no whole .tar.gz archive: {error}.") from None
    return folder


def _extract(tar: tarfile.TarFile, folder: Path, max_bytes: int) -> None:
    left, count = max_bytes, 0
    for member in tar:
        count += 1
        if count > MAX_MEMBERS:
            raise TooLarge(f"The archive has more than the {MAX_MEMBERS} files allowed.")
        if member.isdir():
            continue
        target = _target(member, folder)
        left -= member.size
        if left < 0:
            raise TooLarge(f"The archive unpacks to more than the {max_bytes} bytes allowed.")
        content = tar.extractfile(member)
        if content is None:
            raise BadInput(f"The archive's member {member.name!r} has no content.")
        target.parent.mkdir(parents=True, exist_ok=True)
        with content, target.open("xb") as file:
            while part := content.read(1 << 20):
                file.write(part)


def _target(member: tarfile.TarInfo, folder: Path) -> Path:
    path = PurePosixPath(member.name)
    # Windows takes a backslash or a drive for a separator; no package of ours has them.
    odd = "\\" in member.name or ":" in member.name or "\0" in member.name
    if odd or path.is_absolute() or ".." in path.parts or not path.parts:
        raise BadInput(f"The archive's member {member.name!r} lies outside the package.")
    if not member.isreg():
        raise BadInput(f"The archive's member {member.name!r} is a link or device; only plain files are taken.")
    return folder.joinpath(*path.parts)
