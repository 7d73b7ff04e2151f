"""Reading tables: records, columns, rows or a DataFrame into a DataFrame with the model's columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..connectors.errors import FaultList
from .arrays import MAX_FAULTS, read_array
from .signature import Column, Field

if TYPE_CHECKING:
    import pandas


def read_table(value: Any, field: Field, faults: FaultList) -> pandas.DataFrame | None:
    """A DataFrame with the columns of `field`, in their order, or None after noting what is wrong.

    Takes a DataFrame, a list of objects (rows), an object of lists (columns), one object (a row), or lists of values.
    """
    import pandas

    if field.columns is None:
        return _any_table(value, field, faults)
    columns = field.columns
    before = len(faults.faults)
    given = _columns_given(value, columns, field.name, faults)
    if given is None or len(faults.faults) > before:
        return None
    read = {}
    for column in columns:
        one = Field(name=column.name, kind="array", dtype=column.dtype, nullable=field.nullable or _may_miss(column))
        read[column.name] = read_array(given[column.name], one, faults, ("inputs", field.name, column.name))
    lengths = {name: len(values) for name, values in read.items() if values is not None}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name}: {length}" for name, length in lengths.items())
        faults.add(("inputs", field.name), f"its columns have different lengths ({shown})", type="shape")
    return None if len(faults.faults) > before else pandas.DataFrame(read)


def _any_table(value: Any, field: Field, faults: FaultList) -> pandas.DataFrame | None:
    """A DataFrame with whatever columns are sent; one object is one row."""
    import pandas

    place = ("inputs", field.name)
    if isinstance(value, Mapping) and not any(
        isinstance(item, list | tuple) or _is_array(item) for item in value.values()
    ):
        value = [value]
    if isinstance(value, list | tuple) and not all(isinstance(row, Mapping) for row in value):
        faults.add(place, "has rows without names; send a list of objects", type="type")
        return None
    if not isinstance(value, pandas.DataFrame | Mapping | list | tuple):
        found = "null" if value is None else f"a {type(value).__name__}"
        faults.add(place, f"found {found}; send a list of objects", type="type")
        return None
    try:
        table = pandas.DataFrame(value)
    except ValueError as error:
        faults.add(place, f"is no table: {error}", type="shape")
        return None
    if table.empty:
        faults.add(place, "is empty; send at least one row", type="empty")
        return None
    return table


def _may_miss(column: Column) -> bool:
    return column.dtype == "object"


def _columns_given(value: Any, columns: tuple[Column, ...], name: str, faults: FaultList) -> Mapping[str, Any] | None:
    import pandas

    names = [column.name for column in columns]
    if isinstance(value, pandas.DataFrame):
        given: dict[str, Any] = {str(column): value[column].to_numpy() for column in value.columns}
    elif isinstance(value, Mapping):
        given = {
            key: item if isinstance(item, list | tuple) or _is_array(item) else [item] for key, item in value.items()
        }
    elif isinstance(value, list | tuple) and value and all(isinstance(row, Mapping) for row in value):
        return _from_records(value, names, name, faults)
    elif isinstance(value, list | tuple) or _is_array(value):
        return _from_rows(value, names, name, faults)
    else:
        found = "null" if value is None else f"a {type(value).__name__}"
        faults.add(("inputs", name), f"found {found}; send a list of objects with {', '.join(names)}", type="type")
        return None
    for missing in [wanted for wanted in names if wanted not in given]:
        faults.add(("inputs", name, missing), "this column is missing", type="missing")
    return given


def _from_records(rows: Any, names: list[str], name: str, faults: FaultList) -> Mapping[str, Any]:
    for i, row in enumerate(rows):
        for missing in [wanted for wanted in names if wanted not in row]:
            if len(faults.faults) < MAX_FAULTS:
                faults.add(("inputs", name, i, missing), "is missing", type="missing")
    return {wanted: [row.get(wanted) for row in rows] for wanted in names}


def _from_rows(value: Any, names: list[str], name: str, faults: FaultList) -> Mapping[str, Any] | None:
    rows = value.tolist() if _is_array(value) else list(value)
    if rows and not isinstance(rows[0], list | tuple):
        rows = [rows]
    if not rows:
        faults.add(("inputs", name), "is empty; send at least one row", type="empty")
        return None
    for i, row in enumerate(rows):
        found = len(row) if isinstance(row, list | tuple) else 1
        if found != len(names) or not isinstance(row, list | tuple):
            faults.add(("inputs", name, i), f"has {found} values, and there are {len(names)} columns", type="shape")
            if len(faults.faults) >= MAX_FAULTS:
                break
    if faults.faults:
        return None
    return {wanted: [row[i] for row in rows] for i, wanted in enumerate(names)}


def _is_array(value: Any) -> bool:
    return hasattr(value, "tolist")
