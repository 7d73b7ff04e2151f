"""What long work shows meanwhile: one line on a terminal, nothing elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Say = Callable[[str], None]


@contextmanager
def working(text: str) -> Iterator[Say]:
    """Show `text` on stderr while the block runs, if that is a terminal; calling what it gives shows another text."""
    if not _is_terminal():
        yield lambda _text: None
        return
    from rich.console import Console

    with Console(stderr=True).status(text) as status:
        yield status.update


def _is_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()
