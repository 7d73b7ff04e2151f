"""The versions of a worklet, and what differs between two of them: in the graph and in the source. Blocking."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlmodel import col, select

from ..connectors.errors import NotFound
from ..connectors.store import Store
from ..connectors.tables import Worklet, WorkletVersion
from .bundle import source_files
from .graph import GraphDocument
from .graph_differences import GraphDifferences, graph_differences

# A longer file is no source that somebody reads.
_LONGEST = 200_000
_AROUND = 3


@dataclass(frozen=True, slots=True)
class FileDifference:
    """A file that differs. `lines` are those of a unified diff, or none where it is no text or too long."""

    name: str
    state: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class VersionDifferences:
    """What differs between two versions; `files` is None where a source is not kept any more."""

    worklet: str
    before: int
    after: int
    graph: GraphDifferences
    files: tuple[FileDifference, ...] | None

    def as_dict(self) -> dict[str, Any]:
        """As JSON data."""
        return asdict(self)


class WorkletVersions:
    """Reads versions.

    Args:
        store: where they are.
        folder: where pushed sources lie, one folder a content hash.
    """

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._folder = folder

    def all(self, worklet: str) -> list[dict[str, Any]]:
        """Every version, newest first: number, state (live, draft or kept), who pushed it and when. Raises NotFound."""
        columns = (
            WorkletVersion.number, WorkletVersion.project_hash, WorkletVersion.created_by, WorkletVersion.created_at,
            WorkletVersion.draft,
        )  # fmt: skip
        with self._store.read() as session:
            row = session.get(Worklet, worklet)
            query = select(*columns).where(WorkletVersion.worklet_name == worklet)  # type: ignore[call-overload]
            found = list(session.exec(query.order_by(col(WorkletVersion.number).desc())))
        if row is None:
            raise NotFound(f"There is no worklet {worklet[:64]!r}.")
        names = ("version", "project_hash", "created_by", "created_at", "draft")
        rows = [dict(zip(names, each, strict=True)) for each in found]
        return [{**each, "state": _state(each["version"], row, draft=each.pop("draft"))} for each in rows]

    def one(self, worklet: str, number: int) -> WorkletVersion:
        """One version with its graph. Raises NotFound."""
        wanted = select(WorkletVersion).where(WorkletVersion.worklet_name == worklet, WorkletVersion.number == number)
        with self._store.read() as session:
            found = session.exec(wanted).first()
        if found is None:
            raise NotFound(f"The worklet {worklet[:64]!r} has no version {number}; `worklets versions` lists them.")
        return found

    def source(self, worklet: str, number: int) -> Path | None:
        """The folder with the source of one version; None where it is not kept any more. Raises NotFound."""
        folder = self._folder / self.one(worklet, number).project_hash
        return folder if folder.is_dir() else None

    def differences(self, worklet: str, before: int, after: int) -> VersionDifferences:
        """What the version `after` has that `before` has not, and the other way. Raises NotFound."""
        old, new = self.one(worklet, before), self.one(worklet, after)
        graphs = [GraphDocument.model_validate(each.graph) for each in (old, new)]
        folders = [self._folder / each.project_hash for each in (old, new)]
        files = tuple(_files(*folders)) if all(each.is_dir() for each in folders) else None
        return VersionDifferences(worklet, before, after, graph_differences(*graphs), files)


def _state(number: int, row: Worklet, *, draft: bool) -> str:
    return "live" if number == row.live_version else "draft" if draft else "kept"


def _files(before: Path, after: Path) -> Iterator[FileDifference]:
    old, new = dict(source_files(before)), dict(source_files(after))
    for name in sorted({*old, *new}):
        first = old[name].read_bytes() if name in old else b""
        second = new[name].read_bytes() if name in new else b""
        if first == second and (name in old) == (name in new):
            continue
        state = "added" if name not in old else "removed" if name not in new else "changed"
        yield FileDifference(name, state, _lines(first, second))


def _lines(first: bytes, second: bytes) -> tuple[str, ...]:
    if len(first) > _LONGEST or len(second) > _LONGEST:
        return ()
    try:
        old, new = first.decode().splitlines(), second.decode().splitlines()
    except UnicodeDecodeError:
        return ()
    # The first two lines would name the files again.
    return tuple(difflib.unified_diff(old, new, lineterm="", n=_AROUND))[2:]
