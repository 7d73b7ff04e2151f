"""Doing what an event's actions say: one after the other, each under its condition, with a way out where one fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Protocol

from ..connectors.errors import BadInput, WorkletsError
from ..connectors.web import problem
from .cells import Cell, Occasion, part_of
from .document import (
    Action,
    AskApi,
    AskModel,
    AskQuery,
    Binding,
    CancelRun,
    CloseModal,
    Copy,
    Decide,
    Download,
    Navigate,
    Notify,
    OpenModal,
    Refresh,
    Remove,
    RunWorklet,
    Save,
    SendEvent,
    SetState,
    SubmitRun,
    given_to,
)
from .durable_runs import followed, watched
from .file_made import as_text, file_of
from .gateway import Gateway
from .parameters import in_address
from .questions import asked, said_of, source_of
from .run_lines import Tail

# What asks somebody who is named, as bindings do.
Asks = AskApi | AskQuery | AskModel
# What an answer comes of.
Fills = RunWorklet | SubmitRun | Asks
# Asks for an answer with an action's input; the second argument tells whether nobody waits for it any more.
Ask = Callable[[dict[str, Any], Callable[[], bool]], Awaitable[Any]]

# Changes a table by the values of a row.
Write = Callable[[str, dict[str, Any]], Awaitable[Any]]


class Scene(Protocol):
    """The open view that actions act on."""

    gateway: Gateway

    def evaluate(self, binding: Binding, occasion: Occasion) -> Cell:
        """What a binding gives on this occasion."""
        ...

    def state(self, key: str) -> Cell:
        """What a state holds now."""
        ...

    def put_state(self, key: str, cell: Cell) -> None:
        """Show a state's value, without keeping it."""
        ...

    def set_state(self, key: str, value: Any) -> None:
        """Set a state's value, and keep it."""
        ...

    async def keep(self, key: str, value: Any) -> None:
        """Keep a state's value that is shown already."""
        ...

    def begin(self, key: str) -> Callable[[], bool]:
        """Outdate what is on its way to a state; gives a function that tells whether this, too, is outdated."""
        ...

    async def refresh(self, table: str) -> None:
        """Read a table again."""
        ...

    def tell_fault(self, component: str, message: str) -> None:
        """Say at a component what is wrong, until its value changes or something runs anew."""
        ...

    def clear_faults(self) -> None:
        """Take all of these away."""
        ...

    def send(self, event: str, data: Any) -> None:
        """Tell the page around the view."""
        ...

    def reviews_changed(self) -> None:
        """Ask again for what is to be decided."""
        ...

    async def kept_all(self) -> None:
        """Wait until what was set is kept."""
        ...

    def tell_page(self, what: str, data: dict[str, Any]) -> None:
        """Have the visitor's browser do something that no component shows."""
        ...

    def show(self, component: str, name: str, value: Any) -> None:
        """Give a property that nothing is bound to a value."""
        ...

    def place_faults(self, inputs: dict[str, Binding], error: WorkletsError) -> None:
        """Tell each fault at the component whose value it is about."""
        ...


class Failed(Exception):  # it ends a sequence; it is no error of the program
    """An action came to nothing; `problem` is the problem document."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(problem.get("detail", ""))
        self.problem = problem


class Outdated(Exception):
    """A newer run has taken an action's place."""


class Actions:
    """Does actions in one open view."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._does: dict[type[Any], Callable[[Any, Occasion], Awaitable[None]]] = {
            RunWorklet: self._run_worklet,
            AskApi: self._ask,
            AskQuery: self._ask,
            AskModel: self._ask,
            SetState: self._set_state,
            Refresh: self._refresh,
            SendEvent: self._send,
            Navigate: self._navigate,
            Save: self._save,
            Remove: self._remove,
            OpenModal: self._open_modal,
            CloseModal: self._close_modal,
            Notify: self._notify,
            Copy: self._copy,
            Download: self._download,
            Decide: self._decide,
            SubmitRun: self._submit_run,
            CancelRun: self._cancel_run,
        }

    async def perform(self, actions: Sequence[Action], occasion: Occasion) -> None:
        """Do them in their order. A failed one ends them, after its `on_error`; so does one that is outdated."""
        for action in actions:
            try:
                if action.when is None or self._value(action.when, occasion):
                    await self._does[type(action)](action, occasion)
            except Outdated:
                return
            except Failed as failed:
                if action.on_error:
                    await self.perform(action.on_error, replace(occasion, error=failed.problem))
                elif not isinstance(action, Fills) or action.into is None:
                    # What a worklet or another server found fault with stands in its state; of this nobody would hear.
                    self._scene.tell_fault(occasion.component, str(failed))
                return

    def _value(self, binding: Binding, occasion: Occasion) -> Any:
        """What a binding gives. Raises Failed where it is in error."""
        cell = self._scene.evaluate(binding, occasion)
        if cell.status == "error":
            raise Failed(cell.error or {})
        return cell.value

    async def _set_state(self, action: SetState, occasion: Occasion) -> None:
        try:
            value = self._value(action.value, occasion)
        except Failed as failed:
            self._scene.put_state(action.state, Cell(None, "error", failed.problem))
            raise
        self._scene.set_state(action.state, value)

    async def _refresh(self, action: Refresh, occasion: Occasion) -> None:
        await self._scene.refresh(action.table)

    async def _send(self, action: SendEvent, occasion: Occasion) -> None:
        self._scene.send(action.event, self._value(action.data, occasion) if action.data is not None else None)

    async def _save(self, action: Save, occasion: Occasion) -> None:
        self._scene.clear_faults()
        values = self._value(action.values, occasion) if action.values is not None else {}
        if not isinstance(values, dict):
            raise Failed(problem(BadInput("What is saved are the values of a form; this is something else.")))
        await self._written(action, {**values, **self._row(action, occasion)}, self._scene.gateway.save)

    async def _remove(self, action: Remove, occasion: Occasion) -> None:
        self._scene.clear_faults()
        await self._written(action, self._row(action, occasion), self._scene.gateway.remove)

    def _row(self, action: Save | Remove, occasion: Occasion) -> dict[str, Any]:
        return {name: self._value(binding, occasion) for name, binding in action.row.items()}

    async def _written(self, action: Save | Remove, row: dict[str, Any], write: Write) -> None:
        """Have a row written or deleted, and what shows the table read it again."""
        try:
            await write(action.table, row)
        except WorkletsError as error:
            self._scene.place_faults(action.row, error)
            raise Failed(problem(error)) from None
        await self._scene.refresh(action.table)

    async def _navigate(self, action: Navigate, occasion: Occasion) -> None:
        values = {name: self._value(binding, occasion) for name, binding in action.params.items()}
        try:
            params = {name: in_address(value) for name, value in values.items() if value is not None}
        except BadInput as error:
            raise Failed(problem(error)) from None
        await self._scene.kept_all()  # the next page reads it
        self._scene.tell_page("navigate", {"view": action.view, "page": action.page, "params": params})

    async def _open_modal(self, action: OpenModal, occasion: Occasion) -> None:
        self._scene.show(action.modal, "open", True)

    async def _close_modal(self, action: CloseModal, occasion: Occasion) -> None:
        self._scene.show(action.modal, "open", False)

    async def _notify(self, action: Notify, occasion: Occasion) -> None:
        text = as_text(self._value(action.text, occasion))[:500]
        self._scene.tell_page("notify", {"text": text, "style": action.style})

    async def _copy(self, action: Copy, occasion: Occasion) -> None:
        self._scene.tell_page("copy", {"text": as_text(self._value(action.text, occasion))})

    async def _download(self, action: Download, occasion: Occasion) -> None:
        file = file_of(self._value(action.source, occasion), action.name)
        self._scene.tell_page("download", {**file, "name": action.name})

    async def _decide(self, action: Decide, occasion: Occasion) -> None:
        review, decision = self._value(action.review, occasion), self._value(action.decision, occasion)
        try:
            await self._scene.gateway.decide(as_text(review), decision)
        except WorkletsError as error:
            raise Failed(problem(error)) from None
        finally:
            self._scene.reviews_changed()  # after a refusal too: somebody may have been quicker

    async def _cancel_run(self, action: CancelRun, occasion: Occasion) -> None:
        try:
            await self._scene.gateway.cancel_run(as_text(self._value(action.run, occasion)))
        except WorkletsError as error:
            raise Failed(problem(error)) from None

    async def _run_worklet(self, action: RunWorklet, occasion: Occasion) -> None:
        await self._fill(action, occasion, lambda given, _: self._scene.gateway.run_worklet(action.worklet, given))

    async def _submit_run(self, action: SubmitRun, occasion: Occasion) -> None:
        def follow(given: dict[str, Any], outdated: Callable[[], bool]) -> Awaitable[Any]:
            tell, tail = self._telling(action, outdated), self._tail(action, outdated)
            return followed(self._scene.gateway, action.worklet, given, tell, tail)

        await self._fill(action, occasion, follow)

    async def resume(self, begun: SubmitRun, run: str) -> None:
        """Follow a run again that the page before has begun; what was to come after it is not done."""

        def follow(_: dict[str, Any], outdated: Callable[[], bool]) -> Awaitable[Any]:
            tell, tail = self._telling(begun, outdated), self._tail(begun, outdated)
            return watched(self._scene.gateway, begun.worklet, run, tell, tail)

        with suppress(Failed, Outdated):  # the state says it
            await self._answered(begun, {}, follow, self._scene.begin(begun.into))

    def _tail(self, action: SubmitRun, outdated: Callable[[], bool]) -> Tail | None:
        key, scene = action.log, self._scene
        if key is None:
            return None

        def put(cell: Cell) -> None:
            if not outdated():
                scene.put_state(key, cell)

        async def keep(lines: list[str]) -> None:
            if not outdated():
                await scene.keep(key, lines)

        return Tail(scene.gateway, put, keep)

    def _telling(self, action: SubmitRun, outdated: Callable[[], bool]) -> Callable[[dict[str, Any]], None]:
        def tell(progress: dict[str, Any]) -> None:
            if action.progress is not None and not outdated():
                self._scene.set_state(action.progress, progress)

        return tell

    async def _ask(self, action: Asks, occasion: Occasion) -> None:
        async def ask(given: dict[str, Any], _: Callable[[], bool]) -> Any:
            answer = await asked(self._scene.gateway, source_of(action), given)
            return answer if action.path is None else part_of(answer, action.path)

        await self._fill(action, occasion, ask)

    async def _fill(self, action: Fills, occasion: Occasion, ask: Ask) -> None:
        """Fill a state with what `ask` answers to the action's input."""
        scene = self._scene
        outdated = scene.begin(action.into) if action.into is not None else lambda: False
        scene.clear_faults()
        try:
            inputs = {name: self._value(binding, occasion) for name, binding in _inputs(action).items()}
        except Failed as failed:
            self._show(action, Cell(None, "error", failed.problem))
            raise
        given = {name: value for name, value in inputs.items() if value is not None}
        await self._answered(action, given, ask, outdated)

    async def _answered(self, action: Fills, given: dict[str, Any], ask: Ask, outdated: Callable[[], bool]) -> None:
        scene = self._scene
        self._show(action, Cell(self._held(action), "loading"))
        try:
            answer = await ask(given, outdated)
        except WorkletsError as error:
            if outdated():
                raise Outdated from None
            said = said_of(error) if isinstance(action, Asks) else problem(error)
            self._show(action, Cell(self._held(action), "error", said))
            scene.place_faults(_inputs(action), error)
            raise Failed(said) from None
        if outdated():
            raise Outdated
        self._show(action, Cell.of(answer))
        if action.into is not None:
            await scene.keep(action.into, answer)

    def _held(self, action: Fills) -> Any:
        return self._scene.state(action.into).value if action.into is not None else None

    def _show(self, action: Fills, cell: Cell) -> None:
        if action.into is not None:
            self._scene.put_state(action.into, cell)


def _inputs(action: Fills) -> dict[str, Binding]:
    return given_to(action) if isinstance(action, Asks) else action.input
