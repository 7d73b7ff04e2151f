"""`pw.view` and `pw.page`: views that Python code writes."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .client import Client, find_server
from .connectors.errors import SetupError
from .flows.view_definition import ViewDefinition
from .panel_views.automatic import slug_of
from .panel_views.document import SLUG, Api, DataTable, Parameter, Query, Theme, ViewAccess
from .panel_views.frames import FrameOrigins
from .panel_views.ui.assembly import Page, assemble, authored_on
from .panel_views.ui.base import Children, State, here
from .panel_views.ui.kinds import Custom
from .settings import Settings


@dataclass(frozen=True, eq=False)
class View(ViewDefinition):
    """A view that `pw.view` made; it is checked. `worklets push` publishes those of a project."""

    def publish(self, client: Client | None = None) -> str:
        """Publish it and give its address, on the server of `client`; by default that of this machine's profile.

        Raises WorkletsError.
        """
        if client is None:
            with Client() as found:
                return self.publish(found)
        return client.url + str(client.publish_view(self.document)["address"])

    def servable(self) -> View:
        """Show it, where the program is run by `panel serve FILE`; anywhere else nothing happens.

        Worklets are asked by the profile of this machine or by WORKLETS_URL and WORKLETS_KEY. States are in memory.
        Raises DefinitionError: one of its components is faulty.
        """
        # Panel is loaded wherever it serves; nothing else has to wait for it.
        if "panel" in sys.modules:
            from .panel_views import served

            if served.is_served():
                try:
                    url, key, missing = *find_server(), ""
                except SetupError as error:
                    url, key, missing = "", "", error.detail
                frames = FrameOrigins(Settings().frame_origins)
                served.serve(self.document, url, key, missing, frames, self.definitions())
        return self


def view(
    name: str,
    pages: Sequence[Page],
    *,
    title: str = "",
    description: str = "",
    state: Sequence[State] = (),
    tables: Sequence[DataTable | Mapping[str, Any]] = (),
    queries: Sequence[Query | Mapping[str, Any]] = (),
    apis: Sequence[Api | Mapping[str, Any]] = (),
    theme: Theme | Mapping[str, Any] | None = None,
    access: ViewAccess | Mapping[str, Any] | None = None,
    components: Sequence[type[Custom] | Mapping[str, Any]] = (),
) -> View:
    """Write a view.

    Args:
        name: its part of the address, such as `which-iris`; anything else is taken for the title.
        pages: made by `pw.page`.
        title: the name in words if empty.
        description: a sentence below the title.
        state: states that no component reads or sets; the others are found.
        tables, queries: tables that the view reads and writes, as `pw.ui.DataTable`, and how it reads them, as
            `pw.ui.Query`.
        apis: other servers that the view reads from, as `pw.ui.Api`.
        theme, access: as `pw.ui.Theme` and `pw.ui.Access`, or as mappings.
        components: classes of components that the pages have by name alone (`pw.ui.Custom("stars")`), or definitions
            as an export writes them; the classes that stand on the pages are found.

    Returns:
        The view, with its `document` as plain JSON.

    Raises:
        DefinitionError: with every fault, and the file and line of the code that it is in.
    """
    place, slug = here(), name if re.fullmatch(SLUG, name) else slug_of(name)
    words = name if slug != name else name.replace("-", " ").capitalize()
    head = {"version": 1, "slug": slug, "title": title or words, "description": description}
    head |= {name: value for name, value in (("theme", theme), ("access", access)) if value is not None}
    head |= {name: list(value) for name, value in (("tables", tables), ("queries", queries), ("apis", apis)) if value}
    written = assemble(head, pages, state, place)
    return View(slug, written, place, (*authored_on(pages), *components))


def page(
    title: str,
    children: Children,
    *,
    id: str = "",
    params: Sequence[Parameter | Mapping[str, Any]] = (),
    hidden: bool = False,
) -> Page:
    """A page of a view.

    Args:
        title: what the pages' list calls it.
        children: components, from the top down; those in a list of their own stand side by side.
        id: its part of the address; made from the title if empty.
        params: its parameters, as `pw.ui.Parameter`; `pw.ui.param` reads them, `pw.ui.navigate` gives them.
        hidden: left out of the pages' list, for one that makes sense with parameters only.
    """
    return Page(title, children, id, {"params": params, "hidden": hidden})
