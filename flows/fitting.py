"""Checks of a document beside its code: whether the functions are there, and whether values fit what they take."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from ..connectors.errors import DefinitionError
from .checks import output_cannot_fit
from .faults import DefinitionFault, definition_fault, did_you_mean, pointer_to
from .graph import Argument, AttributeStep, Constant, FromInput, FromNode, GraphDocument, GraphNode
from .hint_text import BadType, hint_of_type, read_type
from .hints import NoSuchPart, Parameter, adapter_of, attribute_hint, cannot_fit, item_hint, name_of
from .isolation import SourceTree
from .mapping import mapped
from .nodes import Node, NodeDefinition, node
from .schema_types import type_of_schema

_TYPE_FIX = "write it as in Python, a class as module:Name"


@dataclass
class Code:
    """The code of a document's nodes.

    Attributes:
        definitions: as it is placed, by node id.
        found: what its `function` names, by `module:name`: a node, or a plain function that is made one.
        plain: the names that are plain functions.
        returns: what is known of what a node gives, by its id.
        faults: what is not there.
    """

    definitions: dict[str, NodeDefinition] = field(default_factory=dict)
    found: dict[str, Node[..., Any]] = field(default_factory=dict)
    plain: set[str] = field(default_factory=set)
    returns: dict[str, Any] = field(default_factory=dict)
    faults: list[DefinitionFault] = field(default_factory=list)


def find(tree: SourceTree, module: str, name: str) -> Any:
    """What a module of the tree, or an installed one, has there. Raises LookupError: the reason, perhaps a way out."""
    try:
        value: Any = tree.module(module) if module.partition(".")[0] in tree.names else importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise LookupError(f"there is no module {error.name!r}".replace(f"{tree.package}.", "")) from None
    except Exception as error:  # whatever the module does as it is imported
        said = str(error).strip().partition("\n")[0]
        raise LookupError(f"importing {module} raised {type(error).__name__}: {said}") from None
    for part in name.split("."):
        try:
            value = getattr(value, part)
        except AttributeError:
            known = [key for key, each in vars(value).items() if isinstance(each, Node)]
            raise LookupError(f"{module} has no {name!r}", did_you_mean(name, known) or None) from None
    return value


def code_of(document: GraphDocument, tree: SourceTree) -> Code:
    """The code of a document's nodes, with a fault for each that can't be found. Runs the modules' own code."""
    code = Code()
    for index, each in enumerate(document.nodes):
        if each.kind in ("http", "review") and isinstance(text := each.settings.get("returns"), str):
            code.returns[each.id] = hint = _read_hint(text, tree)
            if isinstance(hint, BadType):
                code.faults.append(_fault(each, f"{hint}.", _TYPE_FIX, "nodes", index, "settings", "returns"))
        if each.kind not in ("node", "map") or not each.function:
            continue
        try:
            found = _node(each.function, tree, code)
            inner = found.definition
            code.definitions[each.id] = mapped(inner) if each.kind == "map" else inner
            code.returns[each.id] = code.definitions[each.id].shape.returns
            over = code.definitions[each.id].settings.get("over")
            if each.kind == "map" and each.settings.get("over") != over:
                code.faults.append(_fault(each, f"it goes over {over!r}.", None, "nodes", index, "settings", "over"))
        except (LookupError, DefinitionError, IndexError) as error:
            reason, *fixes = error.args or (str(error),)
            fix = fixes[0] if fixes else f"put {each.function.partition(':')[0]}.py beside it, or give --code DIR"
            msg = f"its code {each.function!r} is not there: {reason}."
            code.faults.append(_fault(each, msg, fix, "nodes", index, "function"))
    return code


def _node(path: str, tree: SourceTree, code: Code) -> Node[..., Any]:
    if path not in code.found:
        module, colon, name = path.partition(":")
        if not colon or not all(part.isidentifier() for part in f"{module}.{name}".split(".")):
            raise LookupError("it is not of the form module:name")
        value = find(tree, module, name)
        if inspect.isfunction(value):
            code.plain.add(path)
            value = node(value)
        if not isinstance(value, Node):
            raise LookupError(f"it is a {type(value).__name__} and no node")
        value._resolved()
        code.found[path] = value
    return code.found[path]


def misfits(document: GraphDocument, code: Code, tree: SourceTree) -> Iterator[DefinitionFault]:
    """What the code doesn't take: parameters that are missing or unknown, and values of another type."""
    hints = dict(_input_hints(document, tree))
    for index, (name, hint, fault) in enumerate(_declared(document, hints)):
        if fault is not None:
            pointer = "/output_type" if name is None else pointer_to("inputs", index, "type")
            yield definition_fault(f"{fault}.", fix=_TYPE_FIX, pointer=pointer)
        elif name is not None and not (given := document.inputs[index]).required and given.default is not None:
            reason = _unfit(given.default, Parameter(name, hint))
            if reason is not None:
                msg = f"its default is no {name_of(hint)}: {reason}."
                yield definition_fault(msg, pointer=pointer_to("inputs", index, "default"))
        elif name is None and output_cannot_fit(_hint_of(document.output, hints, code), hint):
            found = name_of(_hint_of(document.output, hints, code))
            msg = f"the result is {name_of(hint)}, and the output is {found}."
            yield definition_fault(msg, fix="change one of them", pointer="/output")
    for index, each in enumerate(document.nodes):
        definition = code.definitions.get(each.id)
        if definition is not None:
            yield from _arguments(index, each, definition, hints, code)


def with_whole_defaults(document: GraphDocument, tree: SourceTree) -> GraphDocument:
    """The same document without faults, with defaults as their types write them: all fields are there."""
    hints = dict(_input_hints(document, tree))
    inputs = []
    for each in document.inputs:
        adapter = adapter_of(hints[each.name])
        if not each.required and each.default is not None and adapter is not None:
            whole = adapter.dump_python(adapter.validate_python(each.default), mode="json")
            each = each.model_copy(update={"default": whole})
        inputs.append(each)
    return document.model_copy(update={"inputs": tuple(inputs)})


def _arguments(
    index: int, each: GraphNode, definition: NodeDefinition, hints: Mapping[str, Any], code: Code
) -> Iterator[DefinitionFault]:
    parameters = {parameter.name: parameter for parameter in definition.shape.parameters}
    if definition.shape.variadic:
        msg = "it takes *args or **kwargs, so its inputs can't be known."
        yield _fault(each, msg, "give each input a name of its own", "nodes", index, "function")
        return
    for name, argument in each.arguments.items():
        place = ("nodes", index, "arguments", name)
        if name not in parameters:
            yield _fault(each, f"it has no parameter {name!r}.", did_you_mean(name, parameters) or None, *place)
            continue
        wanted = parameters[name].hint
        try:
            given = _hint_of(argument, hints, code, strict=True)
        except NoSuchPart as error:
            msg = f"what its argument {name!r} takes has no such part."
            yield _fault(each, msg, did_you_mean("", error.known) or None, *place)
            continue
        if isinstance(argument, Constant):
            reason = _unfit(argument.constant, parameters[name])
            if reason is not None:
                yield _fault(each, f"the constant of {name!r} is no {name_of(wanted)}: {reason}.", None, *place)
        elif cannot_fit(given, wanted):
            msg = f"its parameter {name!r} is {name_of(wanted)}, and it is given {name_of(given)}."
            fix = "pass another value, or put a node between that makes one from the other"
            yield _fault(each, msg, fix, *place)
    for parameter in parameters.values():
        if parameter.required and parameter.name not in each.arguments:
            msg = f"its parameter {parameter.name!r} is missing."
            yield _fault(each, msg, None, "nodes", index, "arguments")


def _unfit(value: Any, parameter: Parameter) -> str | None:
    adapter = adapter_of(parameter.hint) if parameter.hint is not Any else None
    if adapter is None:
        return None
    try:
        adapter.validate_python(value)
    except ValidationError as error:
        return str(error.errors(include_url=False)[0]["msg"])
    return None


def _declared(document: GraphDocument, hints: Mapping[str, Any]) -> Iterator[tuple[str | None, Any, str | None]]:
    for each in document.inputs:
        hint = hints[each.name]
        yield each.name, hint, str(hint) if isinstance(hint, BadType) else None
    hint = hints[""]
    yield None, hint, str(hint) if isinstance(hint, BadType) else None


def _input_hints(document: GraphDocument, tree: SourceTree) -> Iterator[tuple[str, Any]]:
    """The hint of each input, and of the result under the empty name; a BadType where there is none."""
    declared = [(each.name, each.type, each.schema_) for each in document.inputs]
    for name, text, schema in [*declared, ("", document.output_type, document.output_schema)]:
        written = text if text is not None else type_of_schema(schema)
        yield name, _read_hint(written, tree)


def _read_hint(text: str | None, tree: SourceTree) -> Any:
    """The hint that a text stands for, or a BadType that says why there is none."""
    if text is None:
        return BadType("its schema says more than a plain type does; name the type")
    try:
        return hint_of_type(read_type(text), lambda module, label: find(tree, module, label))
    except BadType as error:
        return error
    except (LookupError, TypeError) as error:
        return BadType(f"the type {text!r} is not there: {error.args[0] if error.args else error}")


def _hint_of(argument: Argument, hints: Mapping[str, Any], code: Code, *, strict: bool = False) -> Any:
    """What is known of an argument's type; Any if nothing. Raises NoSuchPart if `strict`."""
    if isinstance(argument, FromInput):
        hint = hints.get(argument.input, Any)
    elif isinstance(argument, FromNode):
        hint = code.returns.get(argument.node, Any)
    else:
        return Any
    if isinstance(hint, BadType):
        return Any
    for step in argument.path:
        try:
            hint = (
                attribute_hint(hint, step.attribute) if isinstance(step, AttributeStep) else item_hint(hint, step.item)
            )
        except NoSuchPart:
            if strict:
                raise
            return Any
    return hint


def _fault(each: GraphNode, msg: str, fix: str | None, *place: str | int) -> DefinitionFault:
    return definition_fault(msg, fix=fix, node=each.id, pointer=pointer_to(*place))
