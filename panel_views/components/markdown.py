"""Markdown: HTML in it is shown as text, pictures come from this server only, links open apart."""

from __future__ import annotations

from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

from .base import ViewComponent


def _own_image(renderer: RendererHTML, tokens: Any, index: int, options: Any, env: Any) -> str:
    token: Token = tokens[index]
    source = str(token.attrGet("src") or "")
    if not source.startswith("/") or source.startswith("//"):
        return ""
    return renderer.image(tokens, index, options, env)


def _apart(renderer: RendererHTML, tokens: Any, index: int, options: Any, env: Any) -> str:
    tokens[index].attrSet("rel", "noopener noreferrer nofollow")
    tokens[index].attrSet("target", "_blank")
    return renderer.renderToken(tokens, index, options, env)


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.add_render_rule("image", _own_image)
    parser.add_render_rule("link_open", _apart)
    return parser


_PARSER = _parser()


def to_html(text: str) -> str:
    """The HTML of Markdown that a stranger may have written."""
    return str(_PARSER.render(text))


class Markdown(ViewComponent):
    """Draws `markdown`."""

    type = "markdown"

    def transform(self, props: dict[str, Any]) -> dict[str, Any]:
        """The HTML in place of the text."""
        return {"html": to_html(props["text"] or "")}
