"""One log of all processes: each line with its process's name before it, on stderr and in a file a process."""

from __future__ import annotations

import contextlib
import logging
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path

from .connectors.redaction import redacted

_WIDTH = 8
_FILE_BYTES = 5_000_000
_COLOURS = (36, 32, 33, 35, 34, 96, 92, 93)


class Logbook:
    """Writes prefixed lines. One that can't be written is passed over: a closed terminal or a full disk stops nobody.

    Args:
        folder: where the files lie; rotated at 5 MB, one old one kept.
        echo: whether the lines go to stderr too.
    """

    def __init__(self, folder: Path, *, echo: bool = True) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._echo = echo
        self._colour = sys.stderr.isatty()
        self._files: dict[str, RotatingFileHandler] = {}

    def __call__(self, name: str, line: str) -> None:
        """Write one line of the process `name`."""
        line = redacted(line)  # what a process prints by mistake
        if self._echo:
            prefix = f"{name:<{_WIDTH}} |"
            if self._colour:
                colour = _COLOURS[sum(name.encode()) % len(_COLOURS)]
                prefix = f"\x1b[{colour}m{prefix}\x1b[0m"
            self._show(f"{prefix} {line}")
        with contextlib.suppress(OSError):
            self._file(name).emit(logging.LogRecord(name, logging.INFO, "", 0, line, None, None))

    def _show(self, text: str) -> None:
        try:
            print(text, file=sys.stderr, flush=True)
        except OSError:  # the terminal was closed, or whoever read it has ended
            self._echo = False

    def close(self) -> None:
        """Close the files."""
        for handler in self._files.values():
            handler.close()

    def _file(self, name: str) -> RotatingFileHandler:
        handler = self._files.get(name)
        if handler is None:
            handler = RotatingFileHandler(
                self._folder / f"{name}.log", maxBytes=_FILE_BYTES, backupCount=1, encoding="utf-8"
            )
            handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
            self._files[name] = handler
        return handler
