"""The expression language of bindings: simpleeval over plain JSON, with limits. Never Python's own eval.

An expression sees `session`, `user_state`, `view`, `components`, `user` and `params`; in actions `event` too, and where
one has failed `error`:
`components.size.value * 2`, `session.result.width if session.result else 0`.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
import simpleeval

from ..connectors.errors import BadInput

MAX_LENGTH = 500
MAX_NODES = 120
ROOTS = ("session", "user_state", "view", "components", "user", "params", "event", "error")


def _json(text: Any) -> Any:
    """What a JSON text says. It is mostly a user's: what is wrong with it is told without the expression."""
    if text is None or text == "":
        return None
    try:
        return orjson.loads(text)
    except (TypeError, ValueError) as error:
        raise BadInput(f"This is no JSON: {error}. Write a list, an object, a number, or a text in quotes.") from None


_FUNCTIONS = {
    "len": len,
    "round": round,
    "min": min,
    "max": max,
    "str": lambda value: str(value)[:10_000],
    "int": int,
    "float": float,
    "upper": lambda text: str(text).upper(),
    "lower": lambda text: str(text).lower(),
    "json": _json,
}
# A product or a repetition within these can't take long nor much memory; simpleeval's own bounds are wider.
_LIMIT = 10_000
# Loops over data are not in the language, so that every expression ends within its number of parts.
_REFUSED = (ast.comprehension, ast.Lambda, ast.NamedExpr, ast.Await, ast.Starred, ast.FormattedValue)


@dataclass(frozen=True)
class Expression:
    """A checked expression and the paths that it reads, as `("session", "result")`."""

    text: str
    tree: ast.expr
    reads: frozenset[tuple[str, ...]]

    def evaluate(self, names: Mapping[str, Any]) -> Any:
        """The value, with `names` holding plain JSON below each root. Raises BadInput."""
        evaluator = _evaluator(names)
        try:
            value = evaluator.eval(self.text, previously_parsed=self.tree)
        except (simpleeval.InvalidExpression, ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise BadInput(f"The expression {self.text!r} fails: {error}.") from None
        except (RecursionError, MemoryError):
            raise BadInput(f"The expression {self.text!r} is too large.") from None
        return value


@lru_cache(maxsize=2000)
def parse(text: str) -> Expression:
    """Check an expression. Raises BadInput that says what is not allowed."""
    if len(text) > MAX_LENGTH:
        raise BadInput(f"An expression may have {MAX_LENGTH} characters and this one has {len(text)}.")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise BadInput(f"{text!r} is not an expression: {getattr(error, 'msg', error)}.") from None
    nodes = list(ast.walk(tree))
    if len(nodes) > MAX_NODES:
        raise BadInput(f"The expression {text[:40]!r}… has {len(nodes)} parts and may have {MAX_NODES}.")
    for node in nodes:
        _check_node(node, text)
    return Expression(text, tree, frozenset(_reads(tree)))


def _check_node(node: ast.AST, text: str) -> None:
    if isinstance(node, _REFUSED) or type(node) not in _allowed_nodes():
        raise BadInput(f"The expression {text!r} uses {type(node).__name__}, which is not part of the language.")
    if isinstance(node, ast.Name) and node.id not in ROOTS and node.id not in _FUNCTIONS:
        raise BadInput(
            f"The expression {text!r} reads {node.id!r}; it may read {', '.join(ROOTS)} "
            f"and call {', '.join(_FUNCTIONS)}."
        )
    if isinstance(node, ast.Attribute) and node.attr.startswith("_"):
        raise BadInput(f"The expression {text!r} reads {node.attr!r}; names that start with _ are closed.")
    if isinstance(node, ast.Call) and (not isinstance(node.func, ast.Name) or node.func.id not in _FUNCTIONS):
        raise BadInput(f"The expression {text!r} calls something else than {', '.join(_FUNCTIONS)}.")


@lru_cache(maxsize=1)
def _allowed_nodes() -> frozenset[type]:
    return frozenset(set(_evaluator({}).nodes) | {ast.Load, ast.keyword, ast.And, ast.Or} | set(_operators())) - {
        ast.Set,
        ast.Tuple,
    }


class _Evaluator(simpleeval.EvalWithCompoundTypes):  # type: ignore[misc]  # simpleeval is not typed
    """Reads attributes of mappings only, and nothing of nothing is nothing."""

    def _eval_attribute(self, node: ast.Attribute) -> Any:
        holder = self._eval(node.value)
        if holder is None:
            return None
        if not isinstance(holder, Mapping):
            raise ValueError(f"a {type(holder).__name__} has no part {node.attr!r}")
        if node.attr not in holder:
            known = ", ".join(sorted(map(str, holder))[:10]) or "nothing"
            raise ValueError(f"there is no {node.attr!r}; there is {known}")
        return holder[node.attr]


@lru_cache(maxsize=1)
def _operators() -> dict[type, Any]:
    operators = dict(simpleeval.DEFAULT_OPERATORS)
    for refused in (ast.Pow, ast.LShift, ast.RShift, ast.BitAnd, ast.BitOr, ast.BitXor, ast.Invert):
        operators.pop(refused, None)
    return {**operators, ast.Mult: _multiply, ast.Mod: _modulo}


def _evaluator(names: Mapping[str, Any]) -> _Evaluator:
    return _Evaluator(operators=_operators(), functions=dict(_FUNCTIONS), names=dict(names))


def _modulo(left: Any, right: Any) -> Any:
    if not isinstance(left, (int, float)):
        raise ValueError("% takes numbers here and formats no text")
    return left % right


def _multiply(left: Any, right: Any) -> Any:
    for value, times in ((left, right), (right, left)):
        if isinstance(value, (str, list)) and isinstance(times, int) and len(value) * times > _LIMIT:
            raise ValueError(f"the result is longer than {_LIMIT}")
        if isinstance(value, int) and abs(value) > 10**300:
            raise ValueError("the number is too large")
    return left * right


def _reads(tree: ast.expr) -> set[tuple[str, ...]]:
    """The longest attribute chains that start at a root."""
    found: set[tuple[str, ...]] = set()

    def visit(node: ast.AST) -> None:
        chain = _chain(node)
        if chain is not None:
            found.add(chain)
            return
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(tree)
    return found


def _chain(node: ast.AST) -> tuple[str, ...] | None:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name) and node.id in ROOTS:
        return (node.id, *reversed(parts))
    return None
