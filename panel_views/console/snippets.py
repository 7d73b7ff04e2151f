"""Commands to copy: how a program calls a worklet or a model."""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection
from typing import Any

from .formats import url_part
from .schema import example, form_fields

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


def worklet_curl(base_url: str, name: str, schema: Any) -> str:
    """How to invoke a worklet of that input schema from the shell: JSON, or a form where there are pictures."""
    path = f"/api/worklets/{url_part(name)}/invoke"
    body, pictures = example(schema), image_fields(schema)
    if not pictures or not isinstance(body, dict):
        return curl(base_url, path, body)
    lines = [f"curl {shlex.quote(base_url + path)} \\", '  -H "Authorization: Bearer $WORKLETS_KEY" \\']
    for field, value in body.items():
        if field in pictures:
            lines.append(f"  -F {shlex.quote(f'{field}=@{field}.jpg')} \\")
        elif value is not None:
            text = value if isinstance(value, str) else _body(value)
            # Curl reads a file where a value of -F begins with @ or <, and options after a semicolon.
            flag = "-F" if text.isalnum() else "--form-string"
            lines.append(f"  {flag} {shlex.quote(f'{field}={text}')} \\")
    return "\n".join(lines).removesuffix(" \\")


def worklet_python(name: str, schema: Any) -> str:
    """How to invoke a worklet of that input schema from Python."""
    body, pictures = example(schema), image_fields(schema)
    imports = ["import prefect_worklets as pw"]
    if pictures and isinstance(body, dict):
        imports = ["from pathlib import Path", "", *imports]
        body = {field: _Source(f"Path('{field}.jpg')") if field in pictures else value for field, value in body.items()}
    call = f"output = client.worklets[{name!r}].invoke({_python(body)})"
    return "\n".join((*imports, "", "client = pw.Client()", call))


def image_fields(schema: Any) -> set[str]:
    """The input's own fields that are pictures."""
    return {field.path[0] for field in form_fields(schema) if field.control == "image" and field.path}


class _Source:
    """Something whose representation is code."""

    def __init__(self, code: str) -> None:
        self._code = code

    def __repr__(self) -> str:
        return self._code


def model_curl(base_url: str, name: str, inputs: Any) -> str:
    """How to ask a model (`name`, or `name@version`) from the shell."""
    return curl(base_url, _predict(name), {"inputs": inputs})


def model_python(name: str, inputs: Any, pictures: Collection[str] = ()) -> str:
    """How to ask a model from Python; `pictures` are the inputs that are given as files."""
    imports = ["import prefect_worklets as pw"]
    if pictures and isinstance(inputs, dict):
        imports = ["from pathlib import Path", "", *imports]
        inputs = {
            field: _Source(f"Path('{field}.jpg')") if field in pictures else value for field, value in inputs.items()
        }
    call = f"output = client.models[{name!r}].predict({_python(inputs)})"
    return "\n".join((*imports, "", "client = pw.Client()", call))


def model_javascript(base_url: str, name: str, inputs: Any) -> str:
    """How to ask a model from JavaScript: Node, Deno, or a page of the same origin."""
    return "\n".join(
        (
            f"const response = await fetch({json.dumps(base_url + _predict(name))}, {{",
            '  method: "POST",',
            "  headers: {",
            "    Authorization: `Bearer ${process.env.WORKLETS_KEY}`,",
            '    "Content-Type": "application/json",',
            "  },",
            f"  body: JSON.stringify({_body({'inputs': inputs})}),",
            "});",
            "const { outputs, version } = await response.json();",
        )
    )


def _predict(name: str) -> str:
    return f"/api/models/{url_part(name).replace('%40', '@')}/predict"


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
