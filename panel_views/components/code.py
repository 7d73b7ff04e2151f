"""Program text in colours: cut into words by Pygments here, put together as text in the browser."""

from __future__ import annotations

from typing import Any

from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Keyword, Name, Number, String, Token

from .base import ViewComponent

_STYLES = (
    (Comment, "comment"),
    (Keyword, "keyword"),
    (String, "string"),
    (Number, "number"),
    (Name.Function, "name"),
    (Name.Class, "name"),
    (Name.Decorator, "name"),
    (Name.Builtin, "builtin"),
    (Name.Tag, "keyword"),
)


class Code(ViewComponent):
    """Draws `code`."""

    type = "code"

    def transform(self, props: dict[str, Any]) -> dict[str, Any]:
        """The words with their styles beside the text."""
        return {**props, "words": words_of(props["text"] or "", props["language"])}


def words_of(text: str, language: str) -> list[tuple[str, str]]:
    """Pairs of a style (empty for plain) and a piece of the text; together the pieces are the text."""
    words: list[tuple[str, str]] = []
    lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
    for token, piece in lexer.get_tokens(text):
        style = next((name for known, name in _STYLES if token in known), "") if token is not Token.Text else ""
        if words and words[-1][0] == style:
            words[-1] = (style, words[-1][1] + piece)
        else:
            words.append((style, piece))
    return words
