"""A graph document as Python source: a module that imports the nodes' code and defines the worklet."""

from __future__ import annotations

import builtins
import inspect
import json
import keyword
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .fitting import Code
from .graph import (
    Argument,
    AttributeStep,
    Branch,
    Constant,
    Fallback,
    FromInput,
    FromNode,
    GraphDocument,
    GraphInput,
    GraphNode,
    ListOf,
    needs_of,
    references,
)
from .hint_text import read_type, type_source
from .nodes import node_id
from .recovering import error_of, is_recovery
from .triggers import Cron, Kafka

_WIDTH = 110
_OPTIONS = ("retries", "backoff", "timeout", "on_error", "cache", "quick")


def python_source(document: GraphDocument, code: Code) -> str:
    """The module's source.

    Args:
        document: a canonical document without faults, whose types are all written.
        code: the code of its nodes, all of it there.
    """
    return _Writer(document, code).source()


def module_name(worklet: str) -> str:
    """The name of the module, and of the function, of a worklet of that name."""
    name = re.sub(r"\W", "_", worklet)
    return f"{name}_" if keyword.iskeyword(name) else name if name[:1].isalpha() else f"_{name}"


class _Writer:
    def __init__(self, document: GraphDocument, code: Code) -> None:
        self._document = document
        self._code = code
        self._function = module_name(document.name)
        self._taken = {"TypeAdapter", self._function, *(each.name for each in document.inputs)}
        self._pw = self._free("pw")
        self._imports: dict[tuple[str, str], str] = {}
        self._variables: dict[str, str] = {}
        self._placed: set[str] = set()
        outputs = [document.output, *(each for node in document.nodes for each in node.arguments.values())]
        self._used = {each.node for argument in outputs for each in _nodes_in(argument)}
        self._adapts = False

    def source(self) -> str:
        document = self._document
        parameters = [self._parameter(each) for each in document.inputs]
        optional = [index for index, each in enumerate(document.inputs) if not each.required]
        if optional and any(each.required for each in document.inputs[optional[0] :]):
            parameters.insert(optional[0], "*")  # what has no default may follow what has one only by name
        returns = self._type(document.output_type or "Any")
        body = list(self._level(None))
        result = self._text(document.output)
        docstring = _docstring(document.description)
        inside = "\n".join([*([docstring] if docstring else []), *body, f"return {result}"])
        lines = [
            *self._decorator(docstring is not None),
            *_wrapped(f"def {self._function}", parameters, f") -> {returns}:"),
            *_indented(inside),
        ]
        head = [f'"""The worklet `{document.name}`, written from its graph document."""', "", *self._import_lines()]
        return "\n".join([*head, "", "", *lines]) + "\n"

    # --- the head -------------------------------------------------------------------------------------

    def _import_lines(self) -> list[str]:
        found: dict[str, list[str]] = {}
        for (module, name), alias in sorted(self._imports.items()):
            found.setdefault(module, []).append(name if alias == name else f"{name} as {alias}")
        lines = [f"from {module} import {', '.join(names)}" for module, names in found.items()]
        adapter = ["from pydantic import TypeAdapter"] if self._adapts else []
        return [f"import prefect_worklets as {self._pw}", *adapter, *lines]

    def _decorator(self, has_docstring: bool) -> list[str]:
        document = self._document
        given = [f"name={_literal(document.name)}"] if document.name != self._function else []
        if document.triggers:
            given.append(f"triggers=[{', '.join(self._trigger(each) for each in document.triggers)}]")
        if document.timeout is not None:
            given.append(f"timeout={document.timeout!r}")
        if document.description and not has_docstring:
            given.append(f"description={_literal(document.description)}")
        if document.tags:
            given.append(f"tags={_literal(list(document.tags))}")
        if document.requirements:
            given.append(f"requirements={_literal(list(document.requirements))}")
        if document.python is not None:
            given.append(f"python={_literal(document.python)}")
        return _wrapped(f"@{self._pw}.worklet", given, ")") if given else [f"@{self._pw}.worklet"]

    def _trigger(self, trigger: Cron | Kafka) -> str:
        made = trigger.model_dump(mode="json", exclude={"on"}, exclude_defaults=True)
        first = made.pop("schedule" if isinstance(trigger, Cron) else "topic")
        call = (
            f"{self._pw}.cron"
            if isinstance(trigger, Cron)
            else self._import("prefect_worklets.flows.triggers", "kafka")
        )
        return f"{call}({', '.join([_literal(first), *(f'{key}={_literal(value)}' for key, value in made.items())])})"

    def _parameter(self, each: GraphInput) -> str:
        text = each.type or "Any"
        hint = self._type(text)
        if each.required:
            return f"{each.name}: {hint}"
        if each.default is None or ":" not in text:
            return f"{each.name}: {hint} = {_literal(each.default)}"
        self._adapts = True
        return f"{each.name}: {hint} = TypeAdapter({hint}).validate_python({_literal(each.default)})"

    def _type(self, text: str) -> str:
        return type_source(read_type(text), self._import)

    def _import(self, module: str, name: str) -> str:
        """How `name` of `module` is written in this module, which imports it."""
        top, dot, rest = name.partition(".")
        if module == "prefect_worklets":
            return f"{self._pw}.{name}"
        if (module, top) not in self._imports:
            self._imports[(module, top)] = self._free(top)
        return self._imports[(module, top)] + dot + rest

    def _free(self, wanted: str) -> str:
        name, count = wanted, 1
        while name in self._taken or keyword.iskeyword(name) or hasattr(builtins, name):
            count += 1
            name = f"{wanted}_{count}"
        self._taken.add(name)
        return name

    # --- the body -------------------------------------------------------------------------------------

    def _level(self, arm: Branch | None) -> Iterator[str]:
        """The lines that place the nodes of one arm, or those outside of all; a decision comes with its arms."""
        nodes = self._document.nodes
        of_level = [node for node in nodes if node.when == arm and not _is_join(node)]
        waiting = {node.id: self._needs_at(node, arm) for node in of_level}
        while waiting:
            ready = next(node for node in of_level if node.id in waiting and not waiting[node.id] & set(waiting))
            del waiting[ready.id]
            yield from self._decision(ready) if ready.kind == "decide" else self._place(ready)

    def _needs_at(self, node: GraphNode, arm: Branch | None) -> set[str]:
        """The nodes of the level that have to be placed before: for a decision those that its arms need, too."""
        inside = [node]
        if node.kind == "decide":
            inside = [each for each in self._document.nodes if self._owner(each, arm) == node.id]
        needed = {self._owner(self._document.node(id), arm) for each in inside for id in needs_of(each)}
        return {id for id in needed if id is not None} - {node.id}

    def _owner(self, node: GraphNode, arm: Branch | None) -> str | None:
        """The node of the level that the node belongs to: itself, its decision, or None if it is of an outer level."""
        if _is_join(node):
            node = self._document.node(_decision_of(node))
        while node.when != arm:
            if node.when is None:
                return None
            node = self._document.node(node.when.node)
        return node.id

    def _place(self, node: GraphNode) -> Iterator[str]:
        call = self._call(node)
        if node.id in self._used:
            call = f"{self._variable(node)} = {call}"
        yield call

    def _variable(self, node: GraphNode) -> str:
        name = re.sub(r"\W", "_", node.id)
        name = name if name[:1].isalpha() or name[:1] == "_" else f"_{name}"
        wanted = name if name not in self._taken and not hasattr(builtins, name) else f"{name}_value"
        self._variables[node.id] = self._free(wanted)
        return self._variables[node.id]

    def _decision(self, node: GraphNode) -> Iterator[str]:
        join = next(each for each in self._document.nodes if _is_join(each) and _decision_of(each) == node.id)
        recovers = is_recovery(node)
        value = self._text(join.arguments["otherwise"] if recovers else node.arguments["value"])
        verb = "recover" if recovers else "switch" if "equals" in node.settings else "decide"
        names = [] if self._natural(node.id, verb) else [f"name={_literal(node.id)}"]
        arms = []
        for arm, name in ((True, "then"),) if recovers else ((True, "then"), (False, "otherwise")):
            text, lines = self._arm(node, join.arguments[name], arm, name)
            yield from lines
            arms.append(text)
        if verb == "switch":
            arms[0] = f"{{{_literal(node.settings['equals'])}: {arms[0]}}}"
        if not self._natural(join.id, "join"):
            names.append(f"join={_literal(join.id)}")
        call = f"{self._pw}.{verb}({', '.join([value, *arms, *names])})"
        yield f"{self._variable(join)} = {call}" if join.id in self._used else call

    def _arm(self, node: GraphNode, result: Argument, arm: bool, name: str) -> tuple[str, list[str]]:
        """The function of one arm, and the lines that define it where it has a name."""
        error = ""
        if is_recovery(node) and self._tells_error(node.id):
            error = self._variables[node.id] = self._free("error")
        lines = list(self._level(Branch(node=node.id, arm=arm)))
        text = self._text(result)
        head = f"lambda {error}:" if error else "lambda:"
        if len(lines) == 1 and lines[0].startswith(f"{text} = "):
            return f"{head} {lines[0].removeprefix(f'{text} = ')}", []
        if not lines:
            return f"{head} {text}", []
        function = self._free(f"{re.sub(r'[^0-9A-Za-z_]', '_', node.id)}_{name}".lstrip("_0123456789"))
        definition = f"def {function}({error}{': str' if error else ''}) -> {self._import('typing', 'Any')}:"
        return function, ["", definition, *_indented("\n".join([*lines, f"return {text}"])), ""]

    def _tells_error(self, recovery: str) -> bool:
        arguments = (each for node in self._document.nodes for each in node.arguments.values())
        return any(error_of(each, {recovery}) for argument in arguments for each in _nodes_in(argument))

    def _call(self, node: GraphNode) -> str:
        if node.kind == "review":
            return self._asked(node)
        if node.kind == "notify":
            return self._notified(node)
        if node.kind in ("http", "call"):
            return self._request(node) if node.kind == "http" else self._called(node)
        made, usual, options = self._node(node)
        if not self._natural(node.id, usual):
            options = {"name": node.id, **options}
        if options:
            made += f".with_options({', '.join(f'{key}={_literal(value)}' for key, value in options.items())})"
        return f"{made}({', '.join(self._arguments(node))})"

    def _node(self, node: GraphNode) -> tuple[str, str, dict[str, Any]]:
        """How the node is written, the name that it has if nothing is said, and its options that are not as usual."""
        settings = node.settings
        usual: Mapping[str, Any] = {**dict.fromkeys(_OPTIONS), "retries": 0, "backoff": 0.0}
        if node.kind in ("node", "map"):
            path = str(node.function)
            module, _, name = path.partition(":")
            written = self._import(module, name)
            written = f"{self._pw}.node({written})" if path in self._code.plain else written
            definition = self._code.found[path].definition
            usual = {key: getattr(definition, key) for key in _OPTIONS}
            default = definition.name
            if node.kind == "map":
                written += f", at_once={settings['at_once']}" if settings["at_once"] != 8 else ""
                written += f", runner={_literal(settings['runner'])}" if settings.get("runner") is not None else ""
                written = f"{self._pw}.map({written})"
                default = f"map_{default}"
        elif node.kind == "model":
            version = f", version={_literal(settings['version'])}" if settings.get("version") is not None else ""
            written, default = (
                f"{self._pw}.model({_literal(settings['model'])}{version})",
                node_id(str(settings["model"])),
            )
        elif node.kind == "save":
            written, default = (
                f"{self._pw}.save({_literal(settings['table'])}{_key(settings.get('key'))})",
                f"save_{node_id(str(settings['table']))}",
            )
        else:
            limit = f", limit={settings['limit']}" if settings["limit"] != 10_000 else ""
            written, default = f"{self._pw}.query({_literal(settings['sql'])}{limit})", "query"
        options = {key: getattr(node, key) for key in _OPTIONS if getattr(node, key) != usual[key]}
        if node.on_error == "branch" and usual["on_error"] is None:
            del options["on_error"]  # recover() says it
        if "on_error" in options:
            options["on_error"] = node.on_error.value if isinstance(node.on_error, Fallback) else "fail"
        return written, default, options

    def _request(self, node: GraphNode) -> str:
        """A node that asks another server; it takes its options with its arguments."""
        method, returns = node.settings["method"], node.settings.get("returns")
        texts = {name: self._text(argument) for name, argument in node.arguments.items()}
        parts = [_literal(method), texts.pop("url"), *(f"{name}={text}" for name, text in texts.items())]
        if node.settings.get("secret_headers"):
            parts.append(f"secret_headers={_literal(node.settings['secret_headers'])}")
        if isinstance(returns, str):
            parts.append(f"returns={self._type(returns)}")
        repeats = 2 if method in ("GET", "HEAD", "PUT", "DELETE") else 0
        usual = {"retries": repeats, "backoff": 0.5, "timeout": 30.0, "cache": None}
        parts += self._inline(node, "http", usual)
        if node.settings["max_bytes"] != 10_000_000:
            parts.append(f"max_bytes={node.settings['max_bytes']}")
        return f"{self._pw}.http({', '.join(parts)})"

    def _called(self, node: GraphNode) -> str:
        """A node that calls another worklet."""
        parts = [_literal(node.settings["worklet"])]
        if node.settings["version"] is not None:
            parts.append(f"version={node.settings['version']}")
        usual = {"retries": 0, "backoff": 0.0, "timeout": None}
        parts += self._inline(node, node_id(str(node.settings["worklet"])), usual)
        given = self._text(node.arguments["inputs"])
        return f"{self._pw}.call({', '.join(parts)})({'**' if node.settings['by_name'] else ''}{given})"

    def _notified(self, node: GraphNode) -> str:
        """A node that sends a message."""
        texts = [f"{name}={self._text(argument)}" for name, argument in node.arguments.items()]
        usual = {"retries": 2, "backoff": 1.0, "timeout": 30.0}
        parts = [_literal(node.settings["target"]), *texts, *self._inline(node, "notify", usual)]
        return f"{self._pw}.notify({', '.join(parts)})"

    def _asked(self, node: GraphNode) -> str:
        """A node that asks a person."""
        settings = node.settings
        parts = [f"title={_literal(settings['title'])}"] if settings["title"] else []
        parts += [f"role={_literal(settings['role'])}"] if settings["role"] != "operator" else []
        parts += [f"due={settings['due']!r}"] if settings["due"] is not None else []
        if isinstance(outcome := settings["on_due"], dict):
            parts.append(f"on_due={_literal(outcome['value'])}")
        if isinstance(returns := settings.get("returns"), str):
            parts.append(f"returns={self._type(returns)}")
        parts += self._inline(node, "review", {})
        return f"{self._pw}.review({', '.join(parts)})({self._text(node.arguments['value'])})"

    def _inline(self, node: GraphNode, usual_name: str, usual: Mapping[str, Any]) -> list[str]:
        named = [] if self._natural(node.id, usual_name) else [f"name={_literal(node.id)}"]
        if isinstance(node.on_error, Fallback):
            named.append(f"on_error={_literal(node.on_error.value)}")
        return [*named, *(f"{key}={getattr(node, key)!r}" for key in usual if getattr(node, key) != usual[key])]

    def _arguments(self, node: GraphNode) -> list[str]:
        if node.kind in ("model", "save"):
            return [self._text(argument) for argument in node.arguments.values()]
        texts = {name: self._text(argument) for name, argument in node.arguments.items()}
        positional = []
        if node.kind == "map":
            positional.append(texts.pop(str(node.settings["over"])))
        elif node.kind == "node":
            signature = self._code.found[str(node.function)].definition.shape.signature
            names = [
                each.name for each in signature.parameters.values() if each.kind is inspect.Parameter.POSITIONAL_ONLY
            ]
            positional = [texts.pop(name) for name in names if name in texts]
        return [*positional, *(f"{name}={text}" for name, text in texts.items())]

    def _natural(self, id: str, usual: str) -> bool:
        """Note that the node is placed; whether its id is the one that it gets if nothing is said."""
        free, count = usual, 1
        while free in self._placed:
            count += 1
            free = f"{usual}_{count}"
        self._placed.add(id)
        return free == id

    def _text(self, argument: Argument) -> str:
        if isinstance(argument, FromInput | FromNode):
            text = argument.input if isinstance(argument, FromInput) else self._variables[argument.node]
            for step in () if self._is_error(argument) else argument.path:
                text += f".{step.attribute}" if isinstance(step, AttributeStep) else f"[{_literal(step.item)}]"
            return text
        if isinstance(argument, Constant):
            return _literal(argument.constant)
        if isinstance(argument, ListOf):
            return f"[{', '.join(map(self._text, argument.list))}]"
        return f"{{{', '.join(f'{_literal(key)}: {self._text(part)}' for key, part in argument.object.items())}}}"

    def _is_error(self, argument: FromInput | FromNode) -> bool:
        return isinstance(argument, FromNode) and is_recovery(self._document.node(argument.node))


def _nodes_in(argument: Argument) -> Iterator[FromNode]:
    return (each for each in references(argument) if isinstance(each, FromNode))


def _is_join(node: GraphNode) -> bool:
    return node.kind == "decide" and bool(node.settings.get("join"))


def _decision_of(join: GraphNode) -> str:
    decision = join.arguments["decision"]
    assert isinstance(decision, FromNode)
    return decision.node


def _literal(value: Any) -> str:
    """JSON data as Python writes it."""
    if isinstance(value, str):
        return "".join(
            char if char.isprintable() else f"\\U{ord(char):08x}" for char in json.dumps(value, ensure_ascii=False)
        )
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_literal(key)}: {_literal(part)}' for key, part in value.items())}}}"
    return repr(value)


def _docstring(text: str) -> str | None:
    """The text as a docstring that gives the same text back; None where there is none such."""
    if not text or inspect.cleandoc(text) != text or '"""' in text or "\\" in text or text.endswith('"'):
        return None
    if not all(char == "\n" or char.isprintable() for char in text):
        return None
    return f'"""{text}\n"""' if "\n" in text else f'"""{text}"""'


def _indented(text: str) -> list[str]:
    return [f"    {line}" if line else "" for line in text.split("\n")]


def _wrapped(head: str, parts: Sequence[str], tail: str) -> list[str]:
    """A call or a definition on one line, or on one line for each part where it is longer."""
    line = f"{head}({', '.join(parts)}{tail}"
    if len(line) <= _WIDTH or not parts:
        return [line]
    return [f"{head}(", *(f"    {part}," for part in parts), tail]


def _key(fields: Any) -> str:
    """The key of a save node as an argument, if it has one."""
    if not fields:
        return ""
    return f", key={_literal(fields[0] if len(fields) == 1 else fields)}"
