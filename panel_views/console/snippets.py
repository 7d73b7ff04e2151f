"""Commands to copy: how a program calls a worklet or a model."""

from __future__ import annotations

import json
import shlex
from typing import Any

from .formats import url_part

_KEY_LINE = "export WORKLETS_KEY=$(worklets keys create my-key --role operator --json | jq -r .key)"
_LONGEST = 1_200


def curl(base_url: str, path: str, body: Any) -> str:
    """A curl command for a POST of JSON, with the key taken from the environment."""
    return "\n".join(
        (
            f"curl {shlex.quote(base_url + path)} \\",
            '  -H "Authorization: Bearer $WORKLETS_KEY" \\',
            "  -H 'Content-Type: application/json' \\",
            f"  -d {shlex.quote(_body(body))}",
        )
    )


def key_command() -> str:
    """The command that makes a key and keeps it in the environment."""
    return _KEY_LINE


def worklet_curl(base_url: str, name: str, body: Any) -> str:
    """How to invoke a worklet from the shell."""
    return curl(base_url, f"/api/worklets/{url_part(name)}/invoke", body)


def worklet_python(name: str, body: Any) -> str:
    """How to invoke a worklet from Python."""
    return "\n".join(
        (
            "import prefect_worklets as pw",
            "",
            "client = pw.Client()",
            f"output = client.worklets[{name!r}].invoke({_python(body)})",
        )
    )


def model_curl(base_url: str, name: str, inputs: Any) -> str:
    """How to ask a model from the shell."""
    return curl(base_url, f"/api/models/{url_part(name)}/predict", {"inputs": inputs})


def _body(value: Any) -> str:
    text = json.dumps(value, default=str, separators=(",", ":"))
    return text if len(text) <= _LONGEST else '"..."'


def _python(value: Any) -> str:
    text = repr(value)
    if len(text) > _LONGEST:
        return "..."
    if not isinstance(value, dict) or len(text) < 40:
        return text
    return "{\n" + "".join(f"    {key!r}: {item!r},\n" for key, item in value.items()) + "}"
