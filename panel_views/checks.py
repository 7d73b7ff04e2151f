"""Reading a view document: `parse` checks its shape, then what needs more than shape, one function a rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from typing import Any

from pydantic import ValidationError

from ..connectors.errors import BadInput, DefinitionError, Fault
from .action_checks import action_bindings, of_modal, of_submitted, states_of
from .components.kinds import KINDS, fault_text
from .document import (
    ASKING,
    BINDING_TAGS,
    COLUMNS,
    RESERVED_PARAMS,
    RESERVED_SLUGS,
    VISIBLE,
    Action,
    ApiBinding,
    Binding,
    CloseModal,
    Component,
    ComponentBinding,
    EventBinding,
    ExpressionBinding,
    ModelBinding,
    Navigate,
    OpenModal,
    ParamBinding,
    QueryBinding,
    Remove,
    ReviewBinding,
    Save,
    StateBinding,
    SubmitRun,
    TableBinding,
    ViewDocument,
    given_to,
)
from .expressions import parse as parse_expression
from .faults import Loc, unknown
from .table_checks import declarations, of_query, of_remove, of_save
from .view_apis import binding_faults, declared_faults

MAX_DEPTH = 4  # containers inside one another
_UNION_TAGS = {*BINDING_TAGS, "run_worklet", "set_state", "refresh", "send", "navigate", "save", "remove"}
_UNION_TAGS |= {"open_modal", "close_modal", "notify", "copy", "download", "decide", "submit_run", "cancel_run"}
_UNION_TAGS |= {"ask_api", "ask_query", "ask_model"}
_HOLD_BINDINGS = ("bindings", "input", "params", "row")
_ARE_BINDINGS = ("value", "values", "data", "when", "text", "source", "review", "decision", "run", VISIBLE)
# What expressions see in some places only.
_OF_ACTIONS = {"event": "actions", "error": "on_error"}
_EXPRESSION_STATE = {"session": "session", "user_state": "user", "view": "view"}


def parse(value: Any) -> ViewDocument:
    """Read and check a document, given as plain JSON. Raises DefinitionError with every fault and its place."""
    try:
        document = ViewDocument.model_validate(value)
    except ValidationError as error:
        entries = error.errors(include_url=False, include_input=False)
        faults = [Fault(_readable(entry["loc"]), entry["msg"], entry["type"]) for entry in entries]
        raise DefinitionError(_count(value, faults), faults=faults) from None
    found = semantic_faults(document)
    if found:
        raise DefinitionError(_count(value, found), faults=found)
    return document


def semantic_faults(document: ViewDocument) -> list[Fault]:
    """Every fault of a document whose shape is right."""
    found = [*_slug(document), *_duplicates(document), *_parameters(document), *declarations(document)]
    found += declared_faults(document)
    for loc, component in _located(document):
        found += _kind(loc, component)
        found += _place(loc, component)
        found += _parent(document, loc, component)
        found += _bindings(document, loc, component)
        found += _actions(document, loc, component)
    return found or list(_cycles(document))


def _located(document: ViewDocument) -> Iterator[tuple[Loc, Component]]:
    for page_number, page in enumerate(document.pages):
        for number, component in enumerate(page.components):
            yield ("pages", page_number, "components", number), component


def _slug(document: ViewDocument) -> Iterator[Fault]:
    if document.slug in RESERVED_SLUGS:
        taken = ", ".join(sorted(RESERVED_SLUGS))
        yield Fault(("slug",), f"{document.slug!r} is taken", "reserved", f"choose another than {taken}")


def _duplicates(document: ViewDocument) -> Iterator[Fault]:
    keys = Counter(state.key for state in document.state)
    for number, state in enumerate(document.state):
        if keys[state.key] > 1:
            yield Fault(("state", number, "name"), f"{state.key!r} is declared {keys[state.key]} times", "duplicate")
    pages = Counter(page.id for page in document.pages)
    for number, page in enumerate(document.pages):
        if pages[page.id] > 1:
            yield Fault(("pages", number, "id"), f"{pages[page.id]} pages have the id {page.id!r}", "duplicate")
    ids = Counter(component.id for component in document.components())
    for loc, component in _located(document):
        if ids[component.id] > 1:
            yield Fault((*loc, "id"), f"{ids[component.id]} components have the id {component.id!r}", "duplicate")


def _parameters(document: ViewDocument) -> Iterator[Fault]:
    for page_number, page in enumerate(document.pages):
        names = Counter(parameter.name for parameter in page.params)
        for number, parameter in enumerate(page.params):
            at: Loc = ("pages", page_number, "params", number)
            if parameter.name in RESERVED_PARAMS:
                yield Fault((*at, "name"), f"{parameter.name!r} is taken", "reserved", "choose another name")
            if names[parameter.name] > 1:
                yield Fault((*at, "name"), f"{parameter.name!r} is declared {names[parameter.name]} times", "duplicate")
            wanted = {"text": str, "number": float, "boolean": bool}[parameter.type]
            if parameter.default is not None and not isinstance(parameter.default, wanted):
                yield Fault((*at, "default"), f"{parameter.default!r} is no {parameter.type}", "value")


def _navigation(document: ViewDocument, loc: Loc, action: Navigate) -> Iterator[Fault]:
    if action.view is not None and action.view != document.slug:
        return  # another view's pages are its own
    known = [page.id for page in document.pages]
    if action.page is not None and action.page not in known:
        yield unknown((*loc, "page"), "page", action.page, known)
        return
    declared = [parameter.name for parameter in document.page_at(action.page or "").params]
    for name in action.params:
        if declared and name not in declared:
            yield unknown((*loc, "params", name), "parameter of that page", name, declared)


def _declared(document: ViewDocument, loc: Loc, name: str) -> Iterator[Fault]:
    declared = [parameter.name for parameter in document.pages[int(loc[1])].params]
    if declared and name not in declared:
        yield unknown(loc, "parameter of this page", name, declared)


def _kind(loc: Loc, component: Component) -> Iterator[Fault]:
    kind = KINDS.get(component.type)
    if kind is None:
        yield unknown((*loc, "type"), "component type", component.type, sorted(KINDS))
        return
    for name, value in component.properties.items():
        if name not in kind.names():
            yield unknown((*loc, "properties", name), f"property of a {kind.name}", name, kind.names())
            continue
        try:
            kind.check(name, value)
        except ValidationError as error:
            yield Fault((*loc, "properties", name), fault_text(error), "value")
    for name in component.bindings:
        if not kind.takes(name):
            yield unknown((*loc, "bindings", name), f"property of a {kind.name}", name, kind.names())
    for name in component.actions:
        if not kind.fires(name):
            yield unknown((*loc, "actions", name), f"event of a {kind.name}", name, sorted(kind.events))


def _place(loc: Loc, component: Component) -> Iterator[Fault]:
    if component.at.x + component.at.w > COLUMNS:
        end = component.at.x + component.at.w
        yield Fault((*loc, "at"), f"reaches to column {end} and the grid has {COLUMNS}", "place", "make w or x smaller")


def _parent(document: ViewDocument, loc: Loc, component: Component) -> Iterator[Fault]:
    if component.parent is None:
        return
    page = document.pages[int(loc[1])]
    siblings = {other.id: other for other in page.components}
    parent = siblings.get(component.parent)
    if parent is None:
        yield unknown((*loc, "parent"), f"component on page {page.id!r}", component.parent, sorted(siblings))
    elif parent.type in KINDS and not KINDS[parent.type].container:
        yield Fault((*loc, "parent"), f"{component.parent!r} is a {parent.type}, which holds no others", "parent")
    else:
        above = _above(siblings, component)
        if above is None:
            yield Fault((*loc, "parent"), f"{component.id!r} stands inside itself", "parent")
        elif len(above) > MAX_DEPTH:
            yield Fault((*loc, "parent"), f"stands {len(above)} containers deep; at most {MAX_DEPTH} may be", "parent")


def _above(siblings: dict[str, Component], component: Component) -> list[str] | None:
    """The containers around a component, innermost first; None if they go in a circle."""
    above: list[str] = []
    inner: Component | None = component
    while inner is not None and inner.parent is not None:
        if inner.parent in above or inner.parent == component.id:
            return None
        above.append(inner.parent)
        inner = siblings.get(inner.parent)
    return above


def _bindings(document: ViewDocument, loc: Loc, component: Component) -> Iterator[Fault]:
    for name, binding in component.bound().items():
        at = (*loc, name) if name == VISIBLE else (*loc, "bindings", name)
        if isinstance(binding, EventBinding):
            yield Fault(at, "an event can be read in actions only", "binding")
        yield from _binding(document, at, binding)


def _actions(document: ViewDocument, loc: Loc, component: Component) -> Iterator[Fault]:
    for event, actions in component.actions.items():
        yield from _steps(document, (*loc, "actions", event), actions, frozenset({"event"}))


def _steps(
    document: ViewDocument, loc: Loc, actions: list[Action], roots: frozenset[str], depth: int = 0
) -> Iterator[Fault]:
    """What is wrong with actions; `roots` are what expressions see only here, `depth` is in how many `on_error`."""
    if depth > MAX_DEPTH:
        yield Fault(loc, f"stands {depth} times inside of on_error; at most {MAX_DEPTH} times may be", "action")
        return
    for number, action in enumerate(actions):
        at = (*loc, number)
        for field, key in states_of(action):
            yield from _state(document, (*at, field), key)
        if isinstance(action, SubmitRun):
            yield from of_submitted(at, action)
        elif isinstance(action, QueryBinding | ModelBinding | ApiBinding):
            yield from _asked(document, at, action)
        elif isinstance(action, Navigate):
            yield from _navigation(document, at, action)
        elif isinstance(action, Save):
            yield from of_save(document, at, action)
        elif isinstance(action, Remove):
            yield from of_remove(document, at, action)
        elif isinstance(action, OpenModal | CloseModal):
            yield from of_modal(document, at, action)
        for place, binding in action_bindings(action):
            yield from _binding(document, (*at, *place), binding, roots)
            if isinstance(binding, (TableBinding, *ASKING)):
                fix = "ask by an action before (ask_query, ask_api, ask_model, run_worklet), and read its state"
                what = (
                    "can't read rows" if isinstance(binding, TableBinding | QueryBinding) else "can't ask for a value"
                )
                yield Fault((*at, *place), f"an action {what}", "binding", fix)
        yield from _steps(document, (*at, "on_error"), action.on_error, roots | {"error"}, depth + 1)


def _binding(
    document: ViewDocument, loc: Loc, binding: Binding, roots: frozenset[str] = frozenset()
) -> Iterator[Fault]:
    if isinstance(binding, StateBinding):
        yield from _state(document, (*loc, "state"), binding.state)
    elif isinstance(binding, ComponentBinding):
        yield from _component_value(document, loc, binding.component, binding.value)
    elif isinstance(binding, ASKING):
        yield from _question(document, loc, binding)
    elif isinstance(binding, ParamBinding):
        yield from _declared(document, (*loc, "param"), binding.param)
    elif isinstance(binding, ExpressionBinding):
        try:
            reads = parse_expression(binding.expr).reads
        except BadInput as error:
            yield Fault((*loc, "expr"), error.detail, "expression")
            return
        for path in sorted(reads):
            if path[0] in _OF_ACTIONS:
                if path[0] not in roots:
                    yield Fault((*loc, "expr"), f"{path[0]} can be read in {_OF_ACTIONS[path[0]]} only", "expression")
            else:
                yield from _read(document, (*loc, "expr"), path)


def _asked(document: ViewDocument, loc: Loc, binding: Binding | Action) -> Iterator[Fault]:
    """Of who is asked, by a binding or an action."""
    if isinstance(binding, QueryBinding):
        yield from of_query(document, loc, binding)
    if isinstance(binding, ApiBinding):
        yield from binding_faults(document, loc, binding)
    if isinstance(binding, ModelBinding) and binding.value is not None and binding.input:
        yield Fault((*loc, "value"), "a model is given its inputs by name, or one value as the whole", "binding")


def _question(document: ViewDocument, loc: Loc, binding: Binding) -> Iterator[Fault]:
    yield from _asked(document, loc, binding)
    whole = isinstance(binding, ModelBinding) and binding.value is not None
    field = "params" if isinstance(binding, QueryBinding | ApiBinding) else "input"
    for name, given in given_to(binding).items():
        at = (*loc, name) if whole or isinstance(binding, ReviewBinding) else (*loc, field, name)
        if isinstance(given, (TableBinding, *ASKING, EventBinding)):
            yield Fault(at, "what is asked with is a single value that is always there", "binding")
        else:
            yield from _binding(document, at, given)


def _read(document: ViewDocument, loc: Loc, path: tuple[str, ...]) -> Iterator[Fault]:
    if path[0] == "params":
        if len(path) < 2:
            yield Fault(loc, "params alone names no parameter", "expression", "write params.NAME")
        else:
            yield from _declared(document, loc, path[1])
        return
    if path[0] == "user":
        if path[1:] not in (("id",), ("name",), ("role",)):
            yield Fault(loc, f"{'.'.join(path)} can't be read", "expression", "use user.id, user.name or user.role")
    elif path[0] == "components":
        if len(path) < 3:
            yield Fault(loc, f"{'.'.join(path)} names no value", "expression", "write components.ID.VALUE")
        else:
            yield from _component_value(document, loc, path[1], path[2])
    elif len(path) < 2:
        yield Fault(loc, f"{path[0]} alone names no state", "expression", f"write {path[0]}.NAME")
    else:
        yield from _state(document, loc, f"{_EXPRESSION_STATE[path[0]]}.{path[1]}")


def _state(document: ViewDocument, loc: Loc, key: str) -> Iterator[Fault]:
    known = [state.key for state in document.state]
    if key not in known:
        yield unknown(loc, "declared state", key, known)


def _component_value(document: ViewDocument, loc: Loc, id: str, value: str) -> Iterator[Fault]:
    component = document.component(id)
    if component is None:
        yield unknown(loc, "component", id, [other.id for other in document.components()])
    elif component.type in KINDS and not KINDS[component.type].gives(value):
        allowed = sorted(KINDS[component.type].values)
        yield unknown(loc, f"value of {id!r} (a {component.type})", value, allowed)


def _cycles(document: ViewDocument) -> Iterator[Fault]:
    try:
        TopologicalSorter(property_edges(document)).prepare()
    except CycleError as error:
        chain = [f"{node[0]}.{node[1]}" for node in error.args[1]]
        id, name = error.args[1][0]
        for loc, component in _located(document):
            if component.id == id:
                at = (*loc, name) if name == VISIBLE else (*loc, "bindings", name)
                yield Fault(at, f"the bindings go in a circle: {' → '.join(chain)}", "cycle")


def property_edges(document: ViewDocument) -> dict[tuple[str, str], set[tuple[str, str]]]:
    """For each bound property `(component, name)`: the other components' values that it is computed from."""
    edges: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for component in document.components():
        for name, binding in component.bound().items():
            edges[component.id, name] = set(component_reads(binding))
    return edges


def component_reads(binding: Binding) -> Iterator[tuple[str, str]]:
    """The components' values that a binding reads."""
    if isinstance(binding, ComponentBinding):
        yield binding.component, binding.value
    elif isinstance(binding, ASKING):
        for given in given_to(binding).values():
            yield from component_reads(given)
    elif isinstance(binding, ExpressionBinding):
        for path in parse_expression(binding.expr).reads:
            if path[0] == "components" and len(path) > 2:
                yield path[1], path[2]


def state_reads(binding: Binding) -> Iterator[str]:
    """The states that a binding reads, as `session.result`."""
    if isinstance(binding, StateBinding):
        yield binding.state
    elif isinstance(binding, ASKING):
        for given in given_to(binding).values():
            yield from state_reads(given)
    elif isinstance(binding, ExpressionBinding):
        for path in parse_expression(binding.expr).reads:
            if path[0] in _EXPRESSION_STATE and len(path) > 1:
                yield f"{_EXPRESSION_STATE[path[0]]}.{path[1]}"


def param_reads(binding: Binding) -> Iterator[str]:
    """The parameters that a binding reads."""
    if isinstance(binding, ParamBinding):
        yield binding.param
    elif isinstance(binding, ASKING):
        for given in given_to(binding).values():
            yield from param_reads(given)
    elif isinstance(binding, ExpressionBinding):
        yield from (path[1] for path in parse_expression(binding.expr).reads if path[0] == "params" and len(path) > 1)


def _readable(loc: tuple[int | str, ...]) -> tuple[int | str, ...]:
    # pydantic puts a union's tag into the path; it is no key of the document.
    kept: list[int | str] = []
    for index, part in enumerate(loc):
        previous = loc[index - 1] if index else None
        before = loc[index - 2] if index > 1 else None
        in_binding = before in _HOLD_BINDINGS or previous in _ARE_BINDINGS
        in_action = isinstance(previous, int) and len(loc) > 3 and "actions" in loc[:index]
        if part in _UNION_TAGS and (in_binding or in_action):
            if part == previous == "review" and before not in _HOLD_BINDINGS:
                kept.append(part)  # the tag was left out before; this is the key
            continue
        kept.append(part)
    return tuple(kept)


def _count(value: Any, faults: list[Fault]) -> str:
    slug = value.get("slug") if isinstance(value, dict) else None
    name = f"The view {slug!r}" if isinstance(slug, str) else "The view"
    return f"{name} has {len(faults)} fault{'s' if len(faults) != 1 else ''}."
