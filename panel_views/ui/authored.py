"""What makes a subclass of `pw.ui.Custom` a component: its fields are the properties, its script draws it."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, ClassVar, cast, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, create_model
from pydantic.errors import PydanticUserError

from ...connectors.errors import DefinitionError
from ...flows.faults import DefinitionFault, Place, definition_fault
from ...flows.view_definition import ComponentDefinition
from ..declarations import BINDABLE, COMPONENT_NAME, MAX_SCRIPT, PROPERTY, RESERVED
from .base import Reads

_MISSING = object()


class Authored(ComponentDefinition):
    """Base of `pw.ui.Custom`.

    A subclass says what its component is: `esm` is the script beside the class's file (or the script's text), and each
    annotated field with a default is a property, which can be bound. `value` is what its reader gives. `gives` names
    other properties that the script sets and `read` reads; `fires` are its own events, each with the type of what it
    brings (None for nothing): `fires = {"rated": Rating}` is `on_rated=...` on a page.
    """

    esm: ClassVar[str] = ""
    gives: ClassVar[Sequence[str]] = ()
    fires: ClassVar[Mapping[str, Any]] = {}

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        if not _is_ours(cls):
            cls.__init__ = _begin  # type: ignore[method-assign]  # the generated one knows no fields of an author's

    @classmethod
    def definition(cls) -> dict[str, Any] | None:
        """What a push sends: name, properties and script; None for `pw.ui.Custom` itself.

        Raises DefinitionError with every fault.
        """
        if _is_ours(cls):
            return None
        faults: list[DefinitionFault] = []
        definition = {
            "name": _name(cls, faults),
            "title": re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", cls.__name__),
            "about": (inspect.cleandoc(vars(cls).get("__doc__") or "")).partition("\n")[0][:500],
            "properties": _schema(cls, faults),
            "script": _script(cls, faults),
        }
        # What there is none of is left out: servers that know no such things take the component then as well.
        more = {"events": _events(cls, faults), "values": _values(cls, faults)}
        definition |= {name: value for name, value in more.items() if value}
        if faults:
            count = f"{len(faults)} fault{'s' if len(faults) != 1 else ''}"
            raise DefinitionError(f"The component {cls.__name__} has {count}.", faults=faults)
        return definition

    def read(self, value: str) -> Reads:
        """One of its values: `value`, or one of those that the class names in `gives`."""
        cls = type(self)
        if not _is_ours(cls) and value not in ("value", *cls.gives):
            raise TypeError(f"{cls.__name__} gives no {value}; it gives {', '.join(['value', *cls.gives])}")
        found: Reads = super().read(value)  # type: ignore[misc]  # beside it stands a component
        return found


def _is_ours(cls: type) -> bool:
    return cls.__module__.startswith(__package__ or "prefect_worklets")


def _begin(self: Any, **given: Any) -> None:
    """Make one for a page: own fields become `props`, the others are as every component has them."""
    cls = type(self)
    own, base = dict(_own(cls)), next(each for each in cls.__mro__ if is_dataclass(each) and _is_ours(each))
    common = {each.name for each in fields(base) if each.init} - {"component", "props", "on"}
    events = {f"on_{name}": name for name in cls.fires}
    unknown = sorted(given.keys() - common - own.keys() - events.keys())
    if unknown:
        known = ", ".join([*sorted(own), "label", "disabled", "on_change", *sorted(events)])
        raise TypeError(f"{cls.__name__} has no property {', '.join(unknown)}; there is {known}")
    props = {name: given.pop(name) for name in own if name in given and name not in BINDABLE}
    does = {name: given.pop(key) for key, name in events.items() if key in given}
    if own.get("value", _MISSING) is not _MISSING:
        given.setdefault("value", _default(own["value"]))
    cast(Any, base).__init__(self, component=_snake(cls.__name__), props=props, on=does, **given)


def _own(cls: type) -> Iterator[tuple[str, Any]]:
    """The fields that the author declared with their defaults, the base's first."""
    for each in reversed(cls.__mro__):
        if issubclass(each, Authored) and each is not Authored and not _is_ours(each):
            for name, hint in vars(each).get("__annotations__", {}).items():
                if not str(hint).startswith(("ClassVar", "typing.ClassVar")) and get_origin(hint) is not ClassVar:
                    yield name, vars(each).get(name, _MISSING)


def _default(value: Any) -> Any:
    if hasattr(value, "get_default"):  # pydantic's Field(...)
        value = value.get_default(call_default_factory=True)
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value


def _schema(cls: type, faults: list[DefinitionFault]) -> dict[str, Any]:
    own = dict(_own(cls))
    place = _place(cls)
    for name, default in own.items():
        if name in RESERVED:
            faults.append(_fault(f"no property can be named {name!r}.", "choose another name", place))
        elif default is _MISSING:
            faults.append(_fault(f"{name} has no default.", f"write `{name}: ... = ...`", place))
    try:
        hints = get_type_hints(cls, include_extras=True)
        made = {name: (hints[name], default) for name, default in own.items() if default is not _MISSING}
        config = ConfigDict(extra="forbid", validate_default=True)
        model = create_model(cls.__name__, __config__=config, **cast(Any, made))
        schema = model.model_json_schema()
        model()
    except ValidationError as error:
        for entry in error.errors(include_url=False, include_input=False):
            where = ".".join(map(str, entry["loc"]))
            faults.append(_fault(f"the default of {where} does not fit: {entry['msg']}.", None, place))
    except (PydanticUserError, NameError, TypeError, ValueError) as error:
        said = str(error).partition("\n")[0]
        faults.append(_fault(f"its fields have no JSON schema: {said}.", "use types that are JSON", place))
    else:
        schema.pop("title", None)
        schema.setdefault("properties", {})
        return schema
    return {}


def _events(cls: Any, faults: list[DefinitionFault]) -> dict[str, Any]:
    """The schema of what each event brings."""
    place, found = _place(cls), {}
    if not isinstance(cls.fires, Mapping):
        faults.append(_fault("`fires` is no mapping.", 'write `fires = {"rated": int}`', place))
        return {}
    for name, type in cls.fires.items():
        if not isinstance(name, str) or not re.fullmatch(PROPERTY, name) or name in {*RESERVED, "change"}:
            fix = "`change` is fired as the value changes; choose another name"
            faults.append(_fault(f"no event can be named {name!r:.64}.", fix, place))
            continue
        try:
            found[name] = TypeAdapter(type).json_schema()
        except (PydanticUserError, NameError, TypeError, ValueError) as error:
            said = str(error).partition("\n")[0]
            fix = "give a type that is JSON, or a pydantic model; None for nothing"
            faults.append(_fault(f"what {name} brings has no JSON schema: {said}.", fix, place))
    return found


def _values(cls: Any, faults: list[DefinitionFault]) -> list[str]:
    own, said = dict(_own(cls)), cls.gives
    if isinstance(said, str) or not isinstance(said, Sequence):
        faults.append(_fault("`gives` is no list of names.", 'write `gives = ["hovered"]`', _place(cls)))
        return []
    for name in said:
        if name not in own:
            faults.append(
                _fault(f"it gives {name!r}, which is no property.", f"write `{name}: ... = ...`", _place(cls))
            )
    return [name for name in dict.fromkeys(said) if name != "value"]


def _script(cls: Any, faults: list[DefinitionFault]) -> str:
    place, said = _place(cls), str(cls.esm)
    if not said:
        faults.append(_fault("it has no script.", 'write `esm = "FILE.js"` in the class', place))
        return ""
    if "\n" in said:
        return said
    module = sys.modules.get(cls.__module__)
    folder = Path(file).parent if (file := getattr(module, "__file__", None)) else Path.cwd()
    path = folder / said
    try:
        if path.stat().st_size > MAX_SCRIPT:
            faults.append(_fault(f"{path} has more than {MAX_SCRIPT:,} bytes.", "bundle and shorten it", place))
            return ""
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        what = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        faults.append(_fault(f"its script {path} can't be read ({what}).", "put it beside the class's file", place))
        return ""


def _name(cls: type, faults: list[DefinitionFault]) -> str:
    name = _snake(cls.__name__)
    if not re.fullmatch(COMPONENT_NAME, name):
        said = f"its name gives {name!r}, which can't name a component."
        faults.append(_fault(said, "use ASCII letters and digits", _place(cls)))
    return name


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _place(cls: type) -> Place:
    try:
        return Place(inspect.getfile(cls), inspect.getsourcelines(cls)[1])
    except (OSError, TypeError):
        return Place("<class>", 1)


def _fault(msg: str, fix: str | None, place: Place) -> DefinitionFault:
    return definition_fault(msg, fix=fix, place=place)
