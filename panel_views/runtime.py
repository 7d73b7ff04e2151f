"""What a view does: values of bound properties from state, components, tables and runs. Knows nothing of Panel.

Each source of values is a `Cell`: a value and whether it is loading, empty or in error. A change of one marks the
bound properties that read it, and these are computed again in the bindings' order. An answer that a newer
question has outdated is dropped.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter
from typing import Any, Literal

from pydantic import ValidationError

from ..connectors.access import Principal
from ..connectors.errors import BadInput, WorkletsError
from ..connectors.web import problem
from .checks import component_reads, property_edges, reads_params, state_reads
from .components.kinds import KINDS, fault_text
from .document import (
    Action,
    Binding,
    ComponentBinding,
    ConstantBinding,
    EventBinding,
    ExpressionBinding,
    ParamBinding,
    Refresh,
    RunWorklet,
    SendEvent,
    SetState,
    StateBinding,
    TableBinding,
    UserBinding,
    ViewDocument,
)
from .expressions import parse as parse_expression
from .gateway import Gateway

logger = logging.getLogger(__name__)

Status = Literal["ready", "loading", "empty", "error"]
Save = Callable[[str, Any], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Cell:
    """A value with its state. In error, `error` is the problem document; while loading, `value` is the last one."""

    value: Any = None
    status: Status = "empty"
    error: dict[str, Any] | None = None

    @staticmethod
    def of(value: Any) -> Cell:
        """A value that is there; nothing, or an empty list, is empty."""
        return Cell(value, "empty" if value is None or value == [] else "ready")

    def loading(self) -> Cell:
        """The same, while a newer value is asked for."""
        return Cell(self.value, "loading")


OnProperty = Callable[[str, str, Cell], None]
OnFault = Callable[[str, str | None], None]
OnSend = Callable[[str, Any], None]


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
    ) -> None:
        self._document = document
        self._gateway = gateway
        self._user = {"id": user.id, "name": user.name, "role": user.role.name} if user else {}
        self._on_property = on_property
        self._on_fault = on_fault
        self._save = save
        self._params = dict(params or {})
        self._on_send = on_send
        self._states = {key: Cell.of(value) for key, value in state.items()}
        self._values: dict[tuple[str, str], Any] = _first_values(document)
        self._tables: dict[tuple[str, int], Cell] = {}
        self._cells: dict[tuple[str, str], Cell] = {}
        self._generations: dict[str, int] = {}
        self._faulted: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._unsaved: Counter[str] = Counter()
        self._saving = asyncio.Lock()  # it is first come, first served: the last value set is the last one kept
        self._components = {component.id: component for component in document.components()}
        self._order = [
            node
            for node in TopologicalSorter(property_edges(document)).static_order()
            if node[0] in self._components and node[1] in self._components[node[0]].bindings
        ]

    # --- from outside -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Give every bound property its first value, and ask for what tables hold."""
        for component in self._components.values():
            for binding in component.bindings.values():
                if isinstance(binding, TableBinding):
                    self._tables.setdefault((binding.table, binding.limit), Cell(None, "loading"))
        self._recompute(self._order)
        for table in {table for table, _ in self._tables}:
            self._spawn(self.refresh(table))

    def changed(self, component: str, name: str, value: Any) -> None:
        """A component's readable value is now `value`."""
        self._clear_fault(component)
        self._values[component, name] = value
        self._recompute_readers(lambda binding: (component, name) in set(component_reads(binding)))

    async def fire(self, component: str, event: str, data: Any = None) -> None:
        """Do what the event's actions say, one after the other; a failed one ends them."""
        for action in self._components[component].actions.get(event, []):
            if not await self._act(action, data):
                return

    def set_state(self, key: str, value: Any) -> None:
        """Set a state's value; what is loading into it is outdated by this."""
        self._generations[key] = self._generations.get(key, 0) + 1
        self._put_state(key, Cell.of(value))
        self._spawn(self._keep(key, value))

    def adopt_state(self, key: str, value: Any) -> None:
        """Show what was kept elsewhere, unless a newer value of this page is on its way to the store."""
        if key in self._states and not self._unsaved[key] and self._states[key].value != value:
            self._put_state(key, replace(self._states[key], value=value))

    def set_params(self, params: Mapping[str, Any]) -> None:
        """Take parameters beside those that there are; of the same name the newer one counts."""
        self._params = {**self._params, **params}
        self._recompute_readers(reads_params)

    async def refresh(self, table: str) -> None:
        """Read a table again, for every binding that shows it."""
        generation = self._next_generation(f"table:{table}")
        limits = [limit for name, limit in self._tables if name == table]
        for limit in limits:
            self._put_table(table, limit, self._tables[table, limit].loading())
        if not limits:
            return
        try:
            rows = await self._gateway.rows(table, max(limits))
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
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- actions ----------------------------------------------------------------------------------------

    async def _act(self, action: Action, data: Any) -> bool:
        if isinstance(action, RunWorklet):
            return await self._run(action, data)
        if isinstance(action, Refresh):
            await self.refresh(action.table)
            return True
        if isinstance(action, SetState):
            cell = self._evaluate(action.value, data)
            if cell.status == "error":
                self._put_state(action.state, cell)
                return False
            self.set_state(action.state, cell.value)
            return True
        if isinstance(action, SendEvent):
            cell = self._evaluate(action.data, data) if action.data is not None else Cell()
            if cell.status != "error":
                self._on_send(action.event, cell.value)
            return cell.status != "error"
        raise AssertionError(f"an action without meaning: {action!r}")

    async def _run(self, action: RunWorklet, data: Any) -> bool:
        generation = self._next_generation(action.into)
        for component in list(self._faulted):
            self._clear_fault(component)
        inputs = {name: self._evaluate(binding, data) for name, binding in action.input.items()}
        failed = next((cell for cell in inputs.values() if cell.status == "error"), None)
        if failed is not None:
            self._put_state(action.into, failed)
            return False
        self._put_state(action.into, self._states[action.into].loading())
        given = {name: cell.value for name, cell in inputs.items() if cell.value is not None}
        try:
            answer = await self._gateway.run_worklet(action.worklet, given)
        except WorkletsError as error:
            if self._generations[action.into] == generation:
                self._put_state(action.into, Cell(self._states[action.into].value, "error", problem(error)))
                self._place_faults(action, error)
            return False
        if self._generations[action.into] != generation:
            return False
        self._put_state(action.into, Cell.of(answer))
        await self._keep(action.into, answer)
        return True

    def _place_faults(self, action: RunWorklet, error: WorkletsError) -> None:
        """Tell each fault at the component whose value it is about."""
        for fault in error.faults:
            named = [part for part in fault.loc if isinstance(part, str) and part in action.input]
            binding = action.input[named[0]] if named else None
            for component, _ in component_reads(binding) if binding is not None else ():
                self._faulted.add(component)
                self._on_fault(component, fault.msg)

    def _clear_fault(self, component: str) -> None:
        if component in self._faulted:
            self._faulted.discard(component)
            self._on_fault(component, None)

    def _keep(self, key: str, value: Any) -> Coroutine[Any, Any, None]:
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

    def _put_state(self, key: str, cell: Cell) -> None:
        self._states[key] = cell
        self._recompute_readers(lambda binding: key in set(state_reads(binding)))

    def _put_table(self, table: str, limit: int, cell: Cell) -> None:
        self._tables[table, limit] = cell
        self._recompute_readers(
            lambda binding: isinstance(binding, TableBinding) and (binding.table, binding.limit) == (table, limit)
        )

    def _recompute_readers(self, reads: Callable[[Binding], bool]) -> None:
        self._recompute([node for node in self._order if reads(self._binding(node))])

    def _recompute(self, nodes: list[tuple[str, str]]) -> None:
        """Compute these properties, and then whatever reads a value that changed by it, in the bindings' order."""
        waiting = set(nodes)
        for node in self._order:
            if node not in waiting:
                continue
            cell = self._checked(node, self._evaluate(self._binding(node), None))
            if self._cells.get(node) == cell:
                continue
            self._cells[node] = cell
            if node in self._values:
                self._values[node] = cell.value
                waiting |= {other for other in self._order if node in set(component_reads(self._binding(other)))}
            self._on_property(*node, cell)

    def _checked(self, node: tuple[str, str], cell: Cell) -> Cell:
        """The cell with its value as the property takes it; one that does not fit is an error."""
        if cell.value is None:
            return cell
        try:
            value = KINDS[self._components[node[0]].type].check(node[1], cell.value)
        except ValidationError as error:
            what = f"The property {node[1]} of {node[0]} got a value that does not fit: {fault_text(error)}."
            return Cell(None, "error", problem(BadInput(what)))
        return Cell(value, cell.status, cell.error)

    def _binding(self, node: tuple[str, str]) -> Binding:
        return self._components[node[0]].bindings[node[1]]

    def _evaluate(self, binding: Binding, data: Any) -> Cell:
        if isinstance(binding, StateBinding):
            return _of_state(self._states[binding.state], binding)
        if isinstance(binding, ComponentBinding):
            return Cell.of(self._values.get((binding.component, binding.value)))
        if isinstance(binding, TableBinding):
            return self._tables[binding.table, binding.limit]
        if isinstance(binding, UserBinding):
            return Cell.of(self._user.get(binding.user))
        if isinstance(binding, ParamBinding):
            return Cell.of(self._params.get(binding.param, binding.default))
        if isinstance(binding, ConstantBinding):
            return Cell.of(binding.constant)
        if isinstance(binding, EventBinding):
            return Cell.of(part_of(data, binding.event))
        return self._evaluate_expression(binding)

    def _evaluate_expression(self, binding: ExpressionBinding) -> Cell:
        names: dict[str, Any] = {"session": {}, "user_state": {}, "view": {}, "components": {}}
        names["user"] = {"id": None, "name": None, "role": None, **self._user}
        names["params"] = self._params
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

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _of_state(cell: Cell, binding: StateBinding) -> Cell:
    if binding.status == "error":
        return Cell.of(cell.error)
    if binding.status is not None:
        return Cell(cell.status == binding.status, "ready")
    if binding.path is None:
        return cell
    value = part_of(cell.value, binding.path)
    return Cell(value, "empty" if value is None and cell.status == "ready" else cell.status, cell.error)


def part_of(value: Any, path: str) -> Any:
    """The part of plain JSON at a path such as `data.image` or `items.0`; None if there is none."""
    for name in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(name)
        elif isinstance(value, list) and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value


def _first_values(document: ViewDocument) -> dict[tuple[str, str], Any]:
    """Every readable value as the document's properties, or the kind's defaults, say."""
    values: dict[tuple[str, str], Any] = {}
    for component in document.components():
        kind = KINDS[component.type]
        for name in kind.values:
            default = kind.default(name) if name in kind.names() else None
            values[component.id, name] = component.properties.get(name, default)
    return values
