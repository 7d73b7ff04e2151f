"""What a view does: values of bound properties from state, components, tables and runs. Knows nothing of Panel.

Each source of values is a `Cell`: a value and whether it is loading, empty or in error. A change of one marks the
bound properties that read it, and these are computed again in the bindings' order. An answer that a newer
question has outdated is dropped.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from dataclasses import replace
from graphlib import TopologicalSorter
from typing import Any

from pydantic import ValidationError

from ..connectors.access import Principal
from ..connectors.errors import BadInput, WorkletsError
from ..connectors.web import problem
from .actions import Actions
from .cells import NEVER, Cell, Occasion, at_path, of_state, part_of
from .checks import component_reads, param_reads, property_edges, state_reads
from .components.kinds import KINDS, fault_text
from .document import (
    ASKING,
    VISIBLE,
    Binding,
    ComponentBinding,
    ConstantBinding,
    EventBinding,
    ExpressionBinding,
    ParamBinding,
    StateBinding,
    TableBinding,
    UserBinding,
    ViewDocument,
    given_to,
    submitted_by,
)
from .durable_runs import under_way
from .expressions import parse as parse_expression
from .gateway import Gateway
from .parameters import typed
from .questions import Questions, Source, source_of

logger = logging.getLogger(__name__)

# Looks, of 20 ms each, for states that are being kept.
_PATIENCE = 150

Save = Callable[[str, Any], Awaitable[None]]
OnProperty = Callable[[str, str, Cell], None]
OnFault = Callable[[str, str | None], None]
OnSend = Callable[[str, Any], None]
OnPage = Callable[[str, dict[str, Any]], None]


async def _save_nothing(key: str, value: Any) -> None:
    """For a view whose state persists nowhere."""


class Runtime:
    """One open view.

    Args:
        document: what is shown.
        gateway: the outside.
        user: who looks; None when not signed in.
        state: the states' first values by `scope.name`.
        on_property: told of each new value of a bound property `(component, property, cell)`.
        on_fault: told that a run found fault with what a component gave `(component, message)`; None clears it.
        save: keeps a state's new value.
        params: the parameters that the page was opened with.
        on_send: told what the view tells the page around it `(event, data)`.
        page: which of the view's pages is open; its components are the only ones that ask for anything.
        on_page: told what the browser is to do that no component shows `(what, data)`.
        declared: the first values, by component and name, of what authors' components have beside the kinds' own.
    """

    def __init__(
        self,
        document: ViewDocument,
        gateway: Gateway,
        user: Principal | None,
        state: Mapping[str, Any],
        on_property: OnProperty,
        on_fault: OnFault = lambda component, message: None,
        save: Save = _save_nothing,
        params: Mapping[str, Any] | None = None,
        on_send: OnSend = lambda event, data: None,
        page: str = "",
        on_page: OnPage = lambda what, data: None,
        declared: Mapping[tuple[str, str], Any] | None = None,
    ) -> None:
        self._document = document
        self.gateway = gateway
        self._user = {"id": user.id, "name": user.name, "role": user.role.name} if user else {}
        self._on_property = on_property
        self._on_fault = on_fault
        self._save = save
        self._page = document.page_at(page)
        self._given = dict(params or {})
        self._params = typed(self._page.params, self._given)
        self._on_send = on_send
        self._on_page = on_page
        self._states = {key: Cell.of(value) for key, value in state.items()}
        self._values: dict[tuple[str, str], Any] = {**_first_values(document), **(declared or {})}
        self._tables: dict[tuple[str, int], Cell] = {}
        self._cells: dict[tuple[str, str], Cell] = {}
        self._generations: dict[str, int] = {}
        # The tables that are read again because others have saved, with whether they have saved anew since.
        self._renewing: dict[str, bool] = {}
        self._faulted: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._unsaved: Counter[str] = Counter()
        self._actions = Actions(self)
        self._questions = Questions(document, gateway, self._put_answer, self._spawn)
        self._saving = asyncio.Lock()  # it is first come, first served: the last value set is the last one kept
        self._components = {component.id: component for component in self._page.components}
        self._order = [
            node
            for node in TopologicalSorter(property_edges(document)).static_order()
            if node[0] in self._components and node[1] in self._components[node[0]].bound()
        ]

    # --- from outside -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Give every bound property its first value, and ask for what tables hold."""
        for component in self._components.values():
            for binding in component.bound().values():
                if isinstance(binding, TableBinding):
                    self._tables.setdefault((binding.table, binding.limit), Cell(None, "loading"))
        self._recompute(self._order)
        for table in {table for table, _ in self._tables}:
            self._spawn(self.refresh(table))
        for key in list(self._states):
            self._resume(key)

    def changed(self, component: str, name: str, value: Any) -> None:
        """A component's readable value is now `value`."""
        self._clear_fault(component)
        self._values[component, name] = value
        self._recompute_readers(lambda binding: (component, name) in set(component_reads(binding)))

    async def fire(self, component: str, event: str, data: Any = None) -> None:
        """Do what the event's actions say."""
        await self._actions.perform(self._components[component].actions.get(event, []), Occasion(component, data))

    def set_state(self, key: str, value: Any) -> None:
        """Set a state's value; what is loading into it is outdated by this."""
        self._generations[key] = self._generations.get(key, 0) + 1
        for node in self._order:
            # A field whose user has changed it follows too, though the state may be what it was.
            reads = node in self._values and key in set(state_reads(self._binding(node)))
            if reads and node in self._cells and self._values[node] != self._cells[node].value:
                del self._cells[node]
        self.put_state(key, Cell.of(value))
        self._spawn(self.keep(key, value))

    def adopt_state(self, key: str, value: Any) -> None:
        """Show what was kept elsewhere, unless a newer value of this page is on its way to the store."""
        if key in self._states and not self._unsaved[key] and self._states[key].value != value:
            self.put_state(key, replace(self._states[key], value=value))

    def restore_state(self, key: str, value: Any) -> None:
        """Show what the page before had, unless this one has set it by now."""
        if key in self._states and key not in self._generations and not self._unsaved[key]:
            self.put_state(key, replace(self._states[key], value=value, status=Cell.of(value).status))
            self._resume(key)

    def _resume(self, key: str) -> None:
        """Follow a run again that goes on, if this state tells of one."""
        run = under_way(self._states[key].value)
        begun = next((each for each in submitted_by(self._document) if each.progress == key), None) if run else None
        if run is not None and begun is not None:
            self._spawn(self._actions.resume(begun, run))

    def rows_saved(self, table: str) -> None:
        """Read a table again that somebody else has written; what fields were filled with stays.

        Once at a time: who is told faster than the store answers would else never show an answer.
        """
        begun = table in self._renewing
        self._renewing[table] = True
        if not begun:
            self._spawn(self._renew(table))

    async def _renew(self, table: str) -> None:
        try:
            while self._renewing[table]:
                self._renewing[table] = False
                await self.refresh(table, keep=self._values.keys())
                await self._questions.answered(table)
        finally:
            del self._renewing[table]

    def reviews_changed(self) -> None:
        """Ask again for what is to be decided."""
        self._questions.reviews_changed()

    async def kept_all(self) -> None:
        """Wait until what was set is kept, but not for a store that does not answer."""
        for _ in range(_PATIENCE):
            if not self._unsaved.total():
                return
            await asyncio.sleep(0.02)

    def set_params(self, params: Mapping[str, Any]) -> None:
        """Take parameters beside those that there are; of the same name the newer one counts."""
        self._given = {**self._given, **params}
        self._params = typed(self._page.params, self._given)
        self._recompute_readers(lambda binding: any(param_reads(binding)))

    async def refresh(self, table: str, keep: Collection[tuple[str, str]] = ()) -> None:
        """Read a table again, for every binding that shows it, by a query too, but for what these properties show."""
        self._questions.row_changed(table, keep)
        generation = self._next_generation(f"table:{table}")
        limits = [limit for name, limit in self._tables if name == table]
        for limit in limits:
            self._put_table(table, limit, self._tables[table, limit].loading())
        if not limits:
            return
        try:
            rows = await self.gateway.rows(table, max(limits))
            cells = {limit: Cell.of(rows[:limit]) for limit in limits}
        except WorkletsError as error:
            cells = {limit: Cell(None, "error", problem(error)) for limit in limits}
        if self._generations[f"table:{table}"] == generation:
            for limit in limits:
                self._put_table(table, limit, cells[limit])

    def cell(self, component: str, name: str) -> Cell | None:
        """What a bound property shows now."""
        return self._cells.get((component, name))

    def state(self, key: str) -> Cell:
        """What a state holds now."""
        return self._states[key]

    async def idle(self) -> None:
        """Wait until nothing is under way."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def close(self) -> None:
        """End what is under way."""
        self._questions.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- for actions ------------------------------------------------------------------------------------

    def begin(self, key: str) -> Callable[[], bool]:
        """Outdate what is on its way to a state; gives a function that tells whether this, too, is outdated."""
        generation = self._next_generation(key)
        return lambda: self._generations[key] != generation

    def send(self, event: str, data: Any) -> None:
        """Tell the page around the view."""
        self._on_send(event, data)

    def tell_page(self, what: str, data: dict[str, Any]) -> None:
        """Have the visitor's browser do something that no component shows."""
        self._on_page(what, data)

    def show(self, component: str, name: str, value: Any) -> None:
        """Give a property that nothing is bound to a value."""
        if (component, name) in self._values:
            self._values[component, name] = value
            self._recompute_readers(lambda binding: (component, name) in set(component_reads(binding)))
        self._on_property(component, name, Cell(value, "ready"))

    def tell_fault(self, component: str, message: str) -> None:
        """Say at a component what is wrong, until its value changes or something runs anew."""
        self._faulted.add(component)
        self._on_fault(component, message)

    def clear_faults(self) -> None:
        """Take away what runs found fault with."""
        for component in list(self._faulted):
            self._clear_fault(component)

    def place_faults(self, inputs: Mapping[str, Binding], error: WorkletsError) -> None:
        """Tell each fault at the component whose value it is about."""
        for fault in error.faults:
            named = [part for part in fault.loc if isinstance(part, str) and part in inputs]
            for component, _ in component_reads(inputs[named[0]]) if named else ():
                self.tell_fault(component, fault.msg)

    def _clear_fault(self, component: str) -> None:
        if component in self._faulted:
            self._faulted.discard(component)
            self._on_fault(component, None)

    def keep(self, key: str, value: Any) -> Coroutine[Any, Any, None]:
        """Keep a state's value that is shown already."""
        self._unsaved[key] += 1  # from now on, not only once the task has its turn
        return self._kept(key, value)

    async def _kept(self, key: str, value: Any) -> None:
        try:
            async with self._saving:
                await self._save(key, value)
        except WorkletsError as error:
            logger.warning("The state %s of the view %s was not kept: %s", key, self._document.slug, error)
        finally:
            self._unsaved[key] -= 1

    # --- values -----------------------------------------------------------------------------------------

    def put_state(self, key: str, cell: Cell) -> None:
        """Show a state's value, without keeping it."""
        self._states[key] = cell
        self._recompute_readers(lambda binding: key in set(state_reads(binding)))

    def _put_table(self, table: str, limit: int, cell: Cell) -> None:
        self._tables[table, limit] = cell
        self._recompute_readers(
            lambda binding: isinstance(binding, TableBinding) and (binding.table, binding.limit) == (table, limit)
        )

    def _put_answer(self, source: Source) -> None:
        self._recompute_readers(lambda binding: isinstance(binding, ASKING) and source_of(binding) == source)

    def _recompute_readers(self, reads: Callable[[Binding], bool]) -> None:
        self._recompute([node for node in self._order if reads(self._binding(node))])

    def _recompute(self, nodes: list[tuple[str, str]]) -> None:
        """Compute these properties, and then whatever reads a value that changed by it, in the bindings' order."""
        waiting = set(nodes)
        for node in self._order:
            if node not in waiting:
                continue
            cell = self._checked(node, self._read(node))
            if self._cells.get(node) == cell:
                continue
            self._cells[node] = cell
            if node in self._values:
                self._values[node] = cell.value
                waiting |= {other for other in self._order if node in set(component_reads(self._binding(other)))}
            self._on_property(*node, cell)

    def _read(self, node: tuple[str, str]) -> Cell:
        """What a property's binding gives. What is asked elsewhere is asked once all that it is asked with is known."""
        binding = self._binding(node)
        if not isinstance(binding, ASKING):
            return self.evaluate(binding, NEVER)
        given = {name: self.evaluate(each, NEVER) for name, each in given_to(binding).items()}
        waiting = next((cell for cell in given.values() if cell.status in ("error", "loading")), None)
        if waiting is not None:
            return Cell(None, waiting.status, waiting.error)
        source, values = source_of(binding), {name: cell.value for name, cell in given.items()}
        if source.kind != "query" and None in values.values():
            self._questions.forget(node)
            return Cell()
        return at_path(self._questions.ask(node, source, values), binding.path)

    def _checked(self, node: tuple[str, str], cell: Cell) -> Cell:
        """The cell with its value as the property takes it; one that does not fit is an error."""
        if node[1] == VISIBLE:
            return cell if cell.status == "error" else Cell(bool(cell.value), "ready")
        if cell.value is None:
            return cell
        try:
            value = KINDS[self._components[node[0]].type].check(node[1], cell.value)
        except ValidationError as error:
            what = f"The property {node[1]} of {node[0]} got a value that does not fit: {fault_text(error)}."
            return Cell(None, "error", problem(BadInput(what)))
        return Cell(value, cell.status, cell.error)

    def _binding(self, node: tuple[str, str]) -> Binding:
        return self._components[node[0]].bound()[node[1]]

    def evaluate(self, binding: Binding, occasion: Occasion) -> Cell:
        """What a binding gives on this occasion."""
        if isinstance(binding, StateBinding):
            return of_state(self._states[binding.state], binding)
        if isinstance(binding, ComponentBinding):
            return Cell.of(self._values.get((binding.component, binding.value)))
        if isinstance(binding, TableBinding):
            return self._tables[binding.table, binding.limit]
        if isinstance(binding, UserBinding):
            return Cell.of(self._user.get(binding.user))
        if isinstance(binding, ParamBinding):
            cell = self._params.get(binding.param, Cell())
            return Cell.of(binding.default) if cell.status == "empty" else cell
        if isinstance(binding, ConstantBinding):
            return Cell.of(binding.constant)
        if isinstance(binding, EventBinding):
            return Cell.of(part_of(occasion.event, binding.event))
        if isinstance(binding, ASKING):
            raise AssertionError("only properties ask")
        return self._evaluate_expression(binding, occasion)

    def _evaluate_expression(self, binding: ExpressionBinding, occasion: Occasion) -> Cell:
        wrong = [self._params[name] for name in param_reads(binding) if name in self._params]
        wrong = [cell for cell in wrong if cell.status == "error"]
        if wrong:
            return wrong[0]
        names: dict[str, Any] = {"session": {}, "user_state": {}, "view": {}, "components": {}}
        names["user"] = {"id": None, "name": None, "role": None, **self._user}
        names["params"] = {name: cell.value for name, cell in self._params.items()}
        names |= {"event": occasion.event, "error": occasion.error}
        roots = {"session": "session", "user": "user_state", "view": "view"}
        for key, cell in self._states.items():
            scope, _, name = key.partition(".")
            names[roots[scope]][name] = cell.value
        for (component, name), value in self._values.items():
            names["components"].setdefault(component, {})[name] = value
        try:
            value = parse_expression(binding.expr).evaluate(names)
        except BadInput as error:
            return Cell(None, "error", problem(error))
        loading = any(self._states[key].status == "loading" for key in state_reads(binding))
        return Cell.of(value).loading() if loading else Cell.of(value)

    # --- tasks ------------------------------------------------------------------------------------------

    def _next_generation(self, key: str) -> int:
        self._generations[key] = self._generations.get(key, 0) + 1
        return self._generations[key]

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _first_values(document: ViewDocument) -> dict[tuple[str, str], Any]:
    """Every readable value as the document's properties, or the kind's defaults, say."""
    values: dict[tuple[str, str], Any] = {}
    for component in document.components():
        kind = KINDS[component.type]
        for name in kind.values:
            default = kind.default(name) if name in kind.names() else None
            values[component.id, name] = component.properties.get(name, default)
    return values
