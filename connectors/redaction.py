"""Takes secrets out of texts that people will read: keys, one-time links, bearer headers, passwords in addresses."""

from __future__ import annotations

import re

_TOKENS = re.compile(r"(wk_|/login/|[Bb]earer )[A-Za-z0-9_\-]{16,}")
# Bounded, so that a long line of letters takes no longer than its length.
_PASSWORDS = re.compile(r"(\b\w{1,32}://[^\s:/@]{0,256}:)[^\s/@]{1,1024}(?=@)")
# WORKLETS_INTERNAL_KEY=..., "api_key": "...", password: ...
_NAMED = re.compile(
    r"(?i)\b([\w-]{0,64}(?:password|passwd|secret|token|api[_-]?key|internal[_-]key|access[_-]key)[\w-]{0,64}[\"']?\s*[=:]\s*[\"']?)"
    r"([^\s\"',;)}\]]{4,})"
)


def redacted(text: str) -> str:
    """The text with `***` where secrets stood."""
    return _NAMED.sub(r"\1***", _PASSWORDS.sub(r"\1***", _TOKENS.sub(r"\1***", text)))
