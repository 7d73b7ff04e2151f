"""How the rows of a table are told apart."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any


def row_key(data: Mapping[str, Any], fields: Sequence[str]) -> str:
    """The text by which a table knows a row: the values of the fields that name it."""
    return json.dumps([data[name] for name in fields], sort_keys=True, ensure_ascii=False)
