"""Pickles that load elsewhere: code of the user's own modules goes into the pickle, installed code does not.

A pickle runs code when it is read. It is read only from a package that a builder has uploaded: who may push code may
anyhow run it.
"""

from __future__ import annotations

import dataclasses
import functools
import io
import os
import pickle
import sys
import sysconfig
import threading
from collections import ChainMap
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import cloudpickle

from ...connectors.errors import DefinitionError

# Which modules go by value is a setting of the whole process in cloudpickle.
_lock = threading.Lock()
# Which argument of cloudpickle's makers names a class that is known already.
_TRACKER_ARGUMENT = {"_make_skeleton_class": 4, "_make_skeleton_enum": 5}
_PACKAGES = {"site-packages", "dist-packages"}
_OWN = __name__.partition(".")[0]


def write_pickle(value: Any, path: Path) -> None:
    """Pickle `value`. Raises DefinitionError, saying what could not be pickled."""
    path.write_bytes(dumps_by_value(value))


def dumps_by_value(value: Any, persistent_id: Callable[[Any], Any] | None = None) -> bytes:
    """The pickle of `value`, in which `persistent_id` may name what is kept elsewhere. Raises DefinitionError."""
    with _lock:
        before = cloudpickle.list_registry_pickle_by_value()
        modules = [module for module in _local_modules() if module.__name__ not in before]
        for module in modules:
            cloudpickle.register_pickle_by_value(module)
        try:
            buffer = io.BytesIO()
            pickler = _Pickler(buffer, protocol=5)
            if persistent_id is not None:
                pickler.persistent_id = persistent_id
            pickler.dump(value)
        except Exception as error:  # anything that the object's own reducers raise
            raise DefinitionError(
                f"This {type(value).__name__} cannot be pickled: {error}. Keep locks, connections and sessions out of "
                "it: open them in `load()`, or give the class by its path, 'module:Class'."
            ) from error
        finally:
            for module in modules:
                cloudpickle.unregister_pickle_by_value(module)
    return buffer.getvalue()


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # cloudpickle has no types
    # `dataclasses` and pydantic ask whether a default *is* MISSING; cloudpickle would make another one of it.
    dispatch_table: ClassVar[ChainMap[type, Any]] = ChainMap(
        {type(dataclasses.MISSING): lambda missing: "MISSING"}, cloudpickle.Pickler.dispatch_table
    )


def read_pickle(path: Path) -> Any:
    """The pickled value. Raises what unpickling raises, such as ModuleNotFoundError."""
    with path.open("rb") as file:
        return FreshClasses(file).load()


class FreshClasses(pickle.Unpickler):
    """Makes each pickle's classes anew.

    cloudpickle itself gives a class that this process knows already, after writing the pickle's attributes into it:
    loading a second version of a model would change the first one.
    """

    def find_class(self, module: str, name: str) -> Any:
        """What the pickle refers to, cloudpickle's makers of classes without their memory."""
        found = super().find_class(module, name)
        place = _TRACKER_ARGUMENT.get(name) if module.partition(".")[0] == "cloudpickle" else None
        if place is None:
            return found
        return lambda *given: found(*given[:place], None, *given[place + 1 :])


def _local_modules() -> list[ModuleType]:
    """Imported modules that belong to no installation: another machine does not have them."""
    installed = {str(Path(sysconfig.get_path(name)).resolve()) for name in ("stdlib", "purelib", "platlib")}
    installed |= {str(Path(prefix).resolve()) for prefix in (sys.prefix, sys.base_prefix)}
    real = functools.cache(os.path.realpath)  # thousands of modules lie in few folders
    found = []
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name == "__main__" or file is None or name.partition(".")[0] == _OWN or not isinstance(module, ModuleType):
            continue
        folder, _, last = file.rpartition(os.sep)
        place = os.path.join(real(folder), last)
        of_user = place.endswith(".py") and not any(place.startswith(prefix + "/") for prefix in installed)
        # An environment may lie on top of another one, whose packages are under neither prefix.
        of_user = of_user and not _PACKAGES & set(place.split(os.sep))
        if of_user and sys.modules.get(module.__name__) is module:
            found.append(module)
    return found
