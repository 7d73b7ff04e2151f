"""The zoo: ready models whose weights come in packages of the registry, checked by their hashes."""

from __future__ import annotations

import difflib

from ...connectors.errors import NotFound
from .entry import ZooEntry
from .signal_entries import SLEEP_STAGES, SPEECH_ACTIVITY
from .style_transfer_entry import STYLE_TRANSFER
from .text_entries import FILE_TYPE, LANGUAGE_DETECTION, SENTENCE_EMBEDDING
from .weights import Weights

_ENTRIES = (FILE_TYPE, LANGUAGE_DETECTION, SENTENCE_EMBEDDING, SLEEP_STAGES, SPEECH_ACTIVITY, STYLE_TRANSFER)

__all__ = ["Weights", "ZooEntry", "entries", "entry"]


def entries() -> list[ZooEntry]:
    """Every entry, by name."""
    return sorted(_ENTRIES, key=lambda one: one.name)


def entry(name: str) -> ZooEntry:
    """The entry of that name. Raises NotFound with the names there are."""
    for one in _ENTRIES:
        if one.name == name:
            return one
    names = [one.name for one in entries()]
    close = difflib.get_close_matches(name, names, 1)
    hint = f"did you mean {close[0]}?" if close else f"it has {', '.join(names)}."
    raise NotFound(f"The zoo has no {name[:64]!r}; {hint}")
