"""One open view: the runtime's values go to the components, the components' events go to the runtime."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from ..connectors.errors import WorkletsError
from .auth import Visit
from .cells import Cell
from .components.base import Drawn, Events, ViewComponent
from .components.bridge import Bridge
from .components.containers import Container, cell_of
from .components.custom import Custom
from .components.grid import CONTAINERS, DRAWN, Grid
from .components.media import Iframe
from .custom import first_values
from .document import VISIBLE, Component, Page
from .frames import FrameOrigins
from .gateway import Gateway
from .runtime import Runtime, Save

logger = logging.getLogger(__name__)

# Runs a function under the lock of the page's document, soon.
Schedule = Callable[[Callable[[], None]], None]


class OpenView:
    """A view as one visitor has it open. Make it on the event loop.

    Args:
        visit: what is shown, and to whom.
        gateway: the outside, as this visitor.
        save: keeps states.
        schedule: how changes reach the page once it is open; until `opened` they are made at once.
        session_of: gives the `session` states that a tab of the browser had on the page before.
        frames: the sites that frames may show; by default none.
    """

    def __init__(
        self,
        visit: Visit,
        gateway: Gateway,
        save: Save,
        schedule: Schedule,
        session_of: Callable[[str], Awaitable[dict[str, Any]]] | None = None,
        frames: FrameOrigins | None = None,
    ) -> None:
        self._frames = frames
        self._custom = visit.custom
        self._session_of = session_of
        self._gateway = gateway
        self._schedule = schedule
        self._building = True
        self._pending: list[Callable[[], None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._page = visit.document.page_at(visit.page)
        events = Events(self._changed, self._fired, self._asked)
        self._components: dict[str, ViewComponent] = {}
        self.root = self._grid(events)
        self.runtime = Runtime(
            visit.document,
            gateway,
            visit.principal,
            visit.state,
            self._on_property,
            self._on_fault,
            save,
            visit.params,
            self._on_send,
            visit.page,
            self._on_page,
            first_values(visit.document, visit.custom),
        )
        # Only a page around the view needs one.
        self.bridge = Bridge(self.runtime.set_params) if visit.embedded else None
        self.runtime.start()
        self._building = False

    async def idle(self) -> None:
        """Wait until nothing that an event began is under way."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.runtime.idle()

    def adopt_state(self, key: str, value: Any) -> None:
        """Show a state that another tab has kept."""
        self.runtime.adopt_state(key, value)

    def rows_saved(self, table: str) -> None:
        """Read a table again whose rows somebody else has saved."""
        self.runtime.rows_saved(table)

    async def close(self) -> None:
        """End what is under way."""
        for task in list(self._tasks):
            task.cancel()
        await self.runtime.close()

    # --- the page -----------------------------------------------------------------------------------------

    def _grid(self, events: Events) -> Grid:
        drawn = self._drawn(None, events)
        return Grid(
            on_tab=self._came,
            objects=[one for one, _ in drawn],
            cells=[cell for _, cell in drawn],
            props={"kind": "page"},
            styles={"width": "100%"},
        )

    def _drawn(self, parent: str | None, events: Events) -> list[tuple[Drawn, dict[str, object]]]:
        """What stands in a container (None: on the page), each with its place."""
        drawn: list[tuple[Drawn, dict[str, object]]] = []
        for part in in_order(self._page, parent):
            made = self._made(part, events)
            self._components[part.id] = made
            drawn.append((made, cell_of(part)))
        return drawn

    def _made(self, part: Component, events: Events) -> ViewComponent:
        if part.type in CONTAINERS:
            return CONTAINERS[part.type](part, events, self._drawn(part.id, events))
        if part.type == Iframe.type:
            return Iframe(part, events, self._frames)
        if part.type == Custom.type:
            return Custom(part, events, self._custom.get(str(part.properties.get("component", ""))))
        return DRAWN[part.type](part, events)

    # --- from the runtime -----------------------------------------------------------------------------------

    def _on_property(self, component: str, name: str, cell: Cell) -> None:
        shown = self._components.get(component)
        if shown is not None:
            self._do(lambda: self._show(shown, cell) if name == VISIBLE else shown.show_cell(name, cell))

    def _show(self, shown: ViewComponent, cell: Cell) -> None:
        """Show or hide a component. One whose condition fails is shown, and says so."""
        visible, holder = cell.status == "error" or bool(cell.value), self._holder(shown)
        shown.fault(str((cell.error or {}).get("detail", "")) if cell.status == "error" else None)
        if shown.hidden == visible:
            shown.hidden = not visible
            holder.show_inside(shown.id, visible)

    def _holder(self, shown: ViewComponent) -> Grid | Container:
        part = next(part for part in self._page.components if part.id == shown.id)
        holder = self._components.get(part.parent) if part.parent is not None else None
        return holder if isinstance(holder, Container) else self.root

    def _on_fault(self, component: str, message: str | None) -> None:
        shown = self._components.get(component)
        if shown is not None:
            self._do(lambda: shown.fault(message))

    def _on_send(self, event: str, data: Any) -> None:
        if self.bridge is not None:
            bridge = self.bridge
            self._do(lambda: bridge.send(event, data))

    def _on_page(self, what: str, data: dict[str, Any]) -> None:
        told = {**data, "forget": [each.name for each in self._page.params]} if what == "navigate" else data
        self._do(lambda: self.root.tell(what, told))

    def _do(self, change: Callable[[], None]) -> None:
        """Make a change in the page; those of one turn of the loop go together, in their order."""
        if self._building:
            change()
            return
        self._pending.append(change)
        if len(self._pending) == 1:
            self._schedule(self._flush)

    def _flush(self) -> None:
        pending, self._pending = self._pending, []
        for change in pending:
            change()

    # --- from the components ----------------------------------------------------------------------------------

    def _came(self, tab: str) -> None:
        if self._session_of is not None:
            self._spawn(self._restore(self._session_of, tab))

    async def _restore(self, session_of: Callable[[str], Awaitable[dict[str, Any]]], tab: str) -> None:
        try:
            found = await session_of(tab)
        except Exception:
            logger.exception("What a tab had on the page before could not be read.")
            return
        for key, value in found.items():
            self.runtime.restore_state(key, value)

    def _changed(self, component: str, name: str, value: Any) -> None:
        self.runtime.changed(component, name, value)

    def _fired(self, component: str, event: str, data: Any) -> None:
        self._spawn(self.runtime.fire(component, event, data))

    def _asked(self, component: str, what: str, data: Any) -> None:
        shown = self._components[component]
        if what == "import" and "value" in shown.kind().values and isinstance(data, str) and len(data) <= 2_000:
            self._spawn(self._import(shown, data))

    async def _import(self, shown: ViewComponent, address: str) -> None:
        self._do(lambda: shown.show_status("value", "loading"))
        try:
            stored = await self._gateway.import_image(address)
        except WorkletsError as error:
            message = error.detail
            self._do(lambda: shown.fault(message))
            self._do(lambda: shown.show_status("value", "ready"))
            return
        self._do(lambda: shown.accept("value", stored))

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def in_order(page: Page, parent: str | None) -> list[Component]:
    """The components of a container (None: the page itself), from top left to bottom right, as they are read."""
    inside = [part for part in page.components if part.parent == parent]
    return sorted(inside, key=lambda part: (part.at.y, part.at.x))
