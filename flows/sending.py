"""Calls that travel to other machines by value, so that those need not have the project's code, nor this package."""

from __future__ import annotations

import pickle
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import cloudpickle

from ..connectors.errors import NodeFailed
from .isolation import PREFIX

# cloudpickle's list of modules that go by value is one for the whole process.
_REGISTRY = threading.Lock()


class ItemRunner(Protocol):
    """Works out the items of maps somewhere else."""

    async def run(self, call: ItemCall, index: int, item: Any) -> Any:
        """What the call gives for one item of the list.

        Raises what it raises there, and Unavailable where nobody answers.
        """
        ...


class Elsewhere(Protocol):
    """The places beside this process where items can be worked out."""

    def runner(self, name: str | None) -> ItemRunner | None:
        """Where the items of a map go that names this runner, or none; None is this process. Raises SetupError."""
        ...


class ItemCall:
    """The call that a map makes for each item, as it travels.

    Args:
        name: the node's id.
        function: its code.
        over: the parameter that gets the item.
        others: the other arguments, the same for every item.

    Raises:
        NodeFailed: the code or an argument can't be pickled.
    """

    def __init__(self, name: str, function: Callable[..., Any], over: str, others: Mapping[str, Any]) -> None:
        self.name = name
        self.answer = _answering(name)
        self._modules = own_modules(function)
        self.call = self._packed((function, over, dict(others)), "its code or an argument")

    def packed(self, item: Any) -> bytes:
        """An item, as `answer` takes it. Raises NodeFailed."""
        return self._packed(item, "an item")

    def value(self, answer: bytes) -> Any:
        """What `answer` gave; its classes are those of this process."""
        return pickle.loads(answer)  # noqa: S301 - from our own workers, who run our code anyway

    def _packed(self, value: Any, what: str) -> bytes:
        try:
            with _by_value(self._modules):
                packed: bytes = cloudpickle.dumps(value)
                return packed
        except Exception as error:
            raise NodeFailed(
                f"Node {self.name!r} can't be sent to other machines, {what} can't be pickled: {error}. "
                "Open files, connections and locks inside the function, and import names from your own modules "
                "(`from shapes import Pair`), not the modules.",
                node=self.name, repeatable=False,
            ) from error  # fmt: skip


def own_modules(function: Callable[..., Any]) -> list[ModuleType]:
    """The loaded modules that come with a function and are not installed: its pushed project, or its folder."""
    top = sys.modules.get(function.__module__.partition(".")[0])
    if top is None or top.__name__ == "__main__":  # cloudpickle sends the main module's by itself
        return []
    if top.__name__.startswith(PREFIX):
        return [top]
    file = getattr(top, "__file__", None)
    if file is None or _is_installed(Path(file)):
        return []
    folder = Path(file).parent.parent if Path(file).name == "__init__.py" else Path(file).parent
    beside = []
    for name, module in sys.modules.copy().items():
        path = getattr(module, "__file__", None)
        if path and "." not in name and Path(path).is_relative_to(folder) and not _is_installed(Path(path)):
            beside.append(module)
    return beside


def _is_installed(path: Path) -> bool:
    places = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return any(path.is_relative_to(place) for place in places) or "site-packages" in path.parts


@contextmanager
def _by_value(modules: list[ModuleType]) -> Iterator[None]:
    with _REGISTRY:
        known = cloudpickle.list_registry_pickle_by_value()
        added = [module for module in modules if module.__name__ not in known]
        try:
            for module in added:
                cloudpickle.register_pickle_by_value(module)
            yield
        finally:
            for module in added:
                cloudpickle.unregister_pickle_by_value(module)


def _answering(name: str) -> Callable[[bytes, bytes], bytes]:
    """What runs on the other machine. A function inside a function always goes by value."""

    def answer(call: bytes, item: bytes) -> bytes:
        import asyncio
        import inspect
        import pickle

        import cloudpickle

        function, over, others = pickle.loads(call)  # noqa: S301
        try:
            value = function(**{over: pickle.loads(item)}, **others)  # noqa: S301
            if inspect.isawaitable(value):

                async def awaited() -> object:
                    return await value

                value = asyncio.run(awaited())
        except Exception as error:
            try:
                pickle.loads(cloudpickle.dumps(error))  # noqa: S301
            except Exception:  # it can't travel back
                raise RuntimeError(f"{type(error).__name__}: {error}") from None
            raise
        packed: bytes = cloudpickle.dumps(value)
        return packed

    answer.__name__ = answer.__qualname__ = name
    return answer
