"""Drafts and versions of views, from Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .client_http import Connection, read_json, segment


class RemoteDrafts:
    """The drafts and versions of a server's views. Every method raises WorkletsError."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def unpublished(self) -> list[dict[str, Any]]:
        """The drafts that hold something unpublished."""
        found: list[dict[str, Any]] = self._connection.get("/api/views/drafts")["drafts"]
        return found

    def read(self, slug: str) -> dict[str, Any]:
        """A view's draft: `document`, `revision`, `published`."""
        found: dict[str, Any] = self._connection.get(f"{_path(slug)}/draft")
        return found

    def create(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """A new view that has only a draft. Raises Conflict if the slug is taken."""
        made: dict[str, Any] = self._connection.post("/api/views/drafts", {"document": dict(document)})
        return made

    def new(
        self,
        title: str,
        *,
        slug: str = "",
        template: str = "empty",
        worklet: str = "",
        model: str = "",
        table: str = "",
        columns: str | Sequence[Mapping[str, Any]] = "",
        key: str = "",
        write: str = "operator",
    ) -> dict[str, Any]:
        """A new view from a template, a worklet, a model or a table. Raises Conflict if the slug is taken.

        `columns`, `key` and `write` are the table editor's: `number: number, species`, the column that tells rows
        apart, and the role that writing takes.
        """
        body: dict[str, Any] = {"title": title, "slug": slug, "template": template, "key": key, "write": write}
        body |= {"worklet": worklet, "model": model, "table": table}
        body |= {"columns": columns if isinstance(columns, str) else [dict(one) for one in columns]}
        made: dict[str, Any] = self._connection.post("/api/views/drafts", body)
        return made

    def replace(self, document: Mapping[str, Any], base: int) -> dict[str, Any]:
        """Put a document in the place of the draft's revision `base`. Raises Conflict if it has changed since."""
        body, slug = {"document": dict(document), "base": base}, str(document.get("slug"))
        made: dict[str, Any] = read_json(self._connection.send("PUT", f"{_path(slug)}/draft", body=body))
        return made

    def publish(self, slug: str, *, note: str = "", over: int | None = None) -> dict[str, Any]:
        """Publish the draft as it is now; `over` is the version of somebody else's that it may replace."""
        body = {"base": self.read(slug)["revision"], "note": note, "over": over}
        published: dict[str, Any] = self._connection.post(f"{_path(slug)}/draft/publish", body)
        return published

    def versions(self, slug: str) -> list[dict[str, Any]]:
        """The published versions, newest first."""
        found: list[dict[str, Any]] = self._connection.get(f"{_path(slug)}/versions")["versions"]
        return found

    def version(self, slug: str, number: int) -> dict[str, Any]:
        """The document of one version."""
        found: dict[str, Any] = self._connection.get(f"{_path(slug)}/versions/{number}")
        return found

    def diff(self, slug: str, before: str = "published", after: str = "draft") -> list[dict[str, Any]]:
        """What is different between two of a view's versions; `draft` and `published` name the present ones."""
        answer = self._connection.get(f"{_path(slug)}/diff", **{"from": before, "to": after})
        changes: list[dict[str, Any]] = answer["changes"]
        return changes

    def roll_back(self, slug: str, number: int) -> dict[str, Any]:
        """Publish an older version again, as a new one."""
        published: dict[str, Any] = self._connection.post(f"{_path(slug)}/rollback", {"to": number})
        return published


def _path(slug: str) -> str:
    return f"/api/views/{segment(slug)}"
