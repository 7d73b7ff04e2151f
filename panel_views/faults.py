"""How the checks of a document say that it names something which is not there."""

from __future__ import annotations

from difflib import get_close_matches

from ..connectors.errors import Fault

Loc = tuple[str | int, ...]


def unknown(loc: Loc, what: str, name: str, known: list[str]) -> Fault:
    """The fault, with what may have been meant."""
    close = get_close_matches(name, known, n=1, cutoff=0.5)
    if close:
        fix = f"did you mean {close[0]!r}?"
    elif known:
        fix = f"there is {', '.join(known[:12])}"
    else:
        fix = "there is none"
    return Fault(loc, f"there is no {what} named {name!r}", "unknown", fix)
