"""A fault of a definition, with the place in the user's own source."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ..connectors.errors import Fault

_HERE = str(Path(__file__).parent) + "/"


@dataclass(frozen=True)
class Place:
    """A line of a source file."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class DefinitionFault(Fault):
    """One thing that is wrong in a definition, with the node and where it shows.

    That is a line of a source file, or of a document the JSON pointer (RFC 6901) of the part that is wrong.
    """

    node: str | None = None
    file: str | None = None
    line: int | None = None
    pointer: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The fault as an entry of a problem document's `errors`."""
        entry = super().as_dict()
        entry.update({"node": self.node, "file": self.file, "line": self.line, "pointer": self.pointer})
        return entry

    def __str__(self) -> str:
        place = ""
        if self.line is not None:
            place = f"{self.file}:{self.line}: "
        elif self.file is not None or self.pointer is not None:
            place = f"{self.file or ''}#{self.pointer or ''}: "
        node = f"node {self.node!r}: " if self.node else ""
        return f"{place}{node}{self.msg}" + (f" ({self.fix})" if self.fix else "")


def definition_fault(
    msg: str,
    *,
    fix: str | None = None,
    node: str | None = None,
    place: Place | None = None,
    pointer: str | None = None,
    type: str = "definition",
) -> DefinitionFault:
    """A fault whose `loc` is made of the place and the node."""
    file, line = (place.file, place.line) if place else (None, None)
    loc = tuple(part for part in (file, line, node) if part is not None)
    return DefinitionFault(loc, msg, type, fix, node, file, line, pointer)


def pointer_to(*parts: str | int) -> str:
    """The JSON pointer of a part of a document."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def in_document(faults: Iterable[DefinitionFault], file: str | None = None) -> list[DefinitionFault]:
    """The same faults, with their places in the document instead of in the source that it was made from."""
    return [replace(fault, file=file, line=None, loc=tuple((fault.pointer or "").split("/")[1:])) for fault in faults]


def relative_to(faults: Iterable[Fault], folder: Path) -> list[Fault]:
    """The same faults, with files named as they are called inside `folder`."""
    prefix = str(folder).rstrip("/") + "/"
    renamed: list[Fault] = []
    for fault in faults:
        if isinstance(fault, DefinitionFault) and fault.file and fault.file.startswith(prefix):
            file = fault.file.removeprefix(prefix)
            fault = replace(fault, file=file, loc=tuple(file if part == fault.file else part for part in fault.loc))
        renamed.append(fault)
    return renamed


def caller_place() -> Place:
    """The innermost line that is not of this room: where the user's own code stands."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_HERE):
        frame = frame.f_back
    return Place(frame.f_code.co_filename, frame.f_lineno)


def caller_locals() -> dict[str, Any]:
    """The local names of the user's innermost frame, for hints on functions that are defined inside one."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_HERE):
        frame = frame.f_back
    return frame.f_locals


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """ "Did you mean ...?" with close matches, or all names if there are few, or nothing."""
    names = sorted(known)
    close = get_close_matches(name, names, n=3, cutoff=0.6)
    if close:
        return f"Did you mean {' or '.join(map(repr, close))}?"
    if 0 < len(names) <= 8:
        return f"There is {', '.join(map(repr, names))}."
    return ""
