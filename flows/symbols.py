"""Symbols: the values of a run, before there is a run. A worklet's function is called once with them."""

from __future__ import annotations

from typing import Any, NoReturn

from ..connectors.errors import DefinitionError
from .faults import caller_place, definition_fault, did_you_mean
from .graph import AttributeStep, FromInput, FromNode, ItemStep, Step
from .hints import NoSuchPart, attribute_hint, item_hint, name_of


class Symbol:
    """A parameter of a worklet, what a node will give back, or an attribute or item of one.

    Anything else that Python could do with a value raises DefinitionError: the value isn't there yet.
    """

    __slots__ = ("_pw_hint", "_pw_origin", "_pw_path")
    _pw_origin: FromInput | FromNode
    _pw_path: tuple[Step, ...]
    _pw_hint: Any

    def __init__(self, origin: FromInput | FromNode, hint: Any = Any, path: tuple[Step, ...] = ()) -> None:
        object.__setattr__(self, "_pw_origin", origin)
        object.__setattr__(self, "_pw_hint", hint)
        object.__setattr__(self, "_pw_path", path)

    def __getattr__(self, name: str) -> Symbol:
        if name.startswith(("__", "_pw_", "_repr_", "_ipython")):
            raise AttributeError(name)
        try:
            hint = attribute_hint(self._pw_hint, name)
        except NoSuchPart as error:
            _no_such_part(self, f"attribute {name!r}", name, error)
        return Symbol(self._pw_origin, hint, (*self._pw_path, AttributeStep(attribute=name)))

    def __getitem__(self, key: Any) -> Symbol:
        if not isinstance(key, str | int) or isinstance(key, bool):
            _refuse(self, f"the index {key!r}", "Only a fixed name or number may stand in the brackets")
        try:
            hint = item_hint(self._pw_hint, key)
        except NoSuchPart as error:
            _no_such_part(self, f"item {key!r}", str(key), error)
        return Symbol(self._pw_origin, hint, (*self._pw_path, ItemStep(item=key)))

    def __setattr__(self, name: str, value: Any) -> None:
        _refuse(self, f"setting .{name}")

    def __repr__(self) -> str:
        return f"<{written(self)}: known when the worklet runs>"

    __hash__ = object.__hash__


def reference(symbol: Symbol) -> FromInput | FromNode:
    """Where the symbol's value will come from."""
    return symbol._pw_origin.model_copy(update={"path": symbol._pw_path})


def hint_of(symbol: Symbol) -> Any:
    """The symbol's type hint; `Any` where nothing is known."""
    return symbol._pw_hint


def written(symbol: Symbol) -> str:
    """The symbol as it stands in the source, nearly: `fetch(...).content`."""
    origin = symbol._pw_origin
    text = origin.input if isinstance(origin, FromInput) else f"{origin.node}(...)"
    for step in symbol._pw_path:
        text += f".{step.attribute}" if isinstance(step, AttributeStep) else f"[{step.item!r}]"
    return text


def _no_such_part(symbol: Symbol, part: str, name: str, error: NoSuchPart) -> NoReturn:
    fault = definition_fault(
        f"{written(symbol)} has no {part}: it is a {name_of(symbol._pw_hint)}.",
        fix=did_you_mean(name, error.known) or None,
        place=caller_place(),
        type="no_such_part",
    )
    raise DefinitionError("A worklet uses a part that its value has not.", faults=[fault])


def _refuse(symbol: Symbol, doing: str, why: str | None = None) -> NoReturn:
    fault = definition_fault(
        f"{doing} of {written(symbol)}: {why or 'the value is known only when the worklet runs'}.",
        fix="do it inside a node: a function under @pw.node that takes the value and returns the result",
        place=caller_place(),
        type="needs_a_value",
    )
    raise DefinitionError("A worklet's function may only pass values between nodes.", faults=[fault])


def _refusing(doing: str) -> Any:
    def operation(self: Symbol, *_args: Any, **_kwargs: Any) -> NoReturn:
        _refuse(self, doing)

    return operation


_ARITHMETIC = "add sub mul truediv floordiv mod divmod pow matmul lshift rshift and or xor"
_REFUSED = {
    "truth (`if`, `while`, `and`, `not`)": "bool",
    "iterating": "iter next reversed aiter anext",
    "awaiting": "await",
    "`with`": "enter exit aenter aexit",
    "the length": "len length_hint",
    "`in`": "contains",
    "text (str, format, f-string)": "str format bytes",
    "conversion to a number": "int float complex index round trunc floor ceil",
    "calling": "call",
    "comparing": "eq ne lt le gt ge",
    "setting an item": "setitem delitem delattr",
    "arithmetic": " ".join(prefix + name for name in _ARITHMETIC.split() for prefix in ("", "r", "i"))
    + " neg pos abs invert",
}
for _doing, _names in _REFUSED.items():
    for _name in _names.split():
        setattr(Symbol, f"__{_name}__", _refusing(_doing))
