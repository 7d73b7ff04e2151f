"""The components that show data."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from .kind import CHANGE, VALUE, Kind, Label, LargeJson, Properties, Rows, SmallJson, Text, small_json


class Column(BaseModel):
    """A column of a table: its name in the rows, or a path such as `data.species`."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(min_length=1, max_length=200)]
    title: Label = ""
    format: Literal["auto", "text", "number", "percent", "boolean", "date", "datetime", "image"] = "auto"
    decimals: int | None = Field(default=None, ge=0, le=10)
    editable: bool = False
    width: int | None = Field(default=None, ge=40, le=1_000)


class TableProperties(Properties):
    """Rows: sorted, filtered and paged on the server, chosen, edited, and downloaded as CSV."""

    label: Label = ""
    help: Label = ""
    rows: Rows | None = None
    columns: list[Column] = Field(default=[], max_length=60)
    page_size: int = Field(default=10, ge=1, le=200)
    choose: Literal["none", "one", "many"] = "none"
    search: bool = True
    filters: bool = False
    download: bool = True
    empty: Label = "No rows yet"


class ChartProperties(Properties):
    """A chart from rows: lines, areas, bars, points, a histogram or a heat map."""

    label: Label = ""
    help: Label = ""
    rows: Rows | None = None
    kind: Literal["line", "area", "bar", "scatter", "histogram", "heatmap"] = "line"
    x: Label = ""
    y: list[Label] = Field(default=[], max_length=20)
    color: Label = ""
    value: Label = ""
    bins: int | None = Field(default=None, ge=1, le=500)
    stacked: bool = False
    zoom: bool = False
    x_title: Label = ""
    y_title: Label = ""
    empty: Label = "Nothing to draw yet"


class MetricProperties(Properties):
    """A number that matters, with how it changed."""

    label: Label = "Metric"
    help: Label = ""
    value: float | Label | None = None
    unit: Label = ""
    decimals: int | None = Field(default=None, ge=0, le=10)
    change: float | None = None
    change_unit: Label = "%"
    good: Literal["up", "down", "neither"] = "up"
    trend: list[float | None] = Field(default=[], max_length=1_000)


class CodeProperties(Properties):
    """Program text, in colours, with a button that copies it."""

    label: Label = ""
    text: Text | None = ""
    language: Literal["text", "python", "sql", "json", "bash", "javascript"] = "text"
    line_numbers: bool = False


class JsonProperties(Properties):
    """Any JSON as a tree that folds."""

    label: Label = ""
    value: JsonValue = None
    open_depth: int = Field(default=1, ge=0, le=10)


class DividerProperties(Properties):
    """A line between two parts, with a word if you like."""

    label: Label = ""


class CustomProperties(Properties):
    """A component that an author wrote in Python and JavaScript, and pushed by `Client().push_component(...)`."""

    # `names` tells the builder what to offer.
    component: str = Field(default="", pattern=r"^([a-z][a-z0-9_]{0,62})?$", json_schema_extra={"names": "custom"})
    label: Label = ""
    props: Annotated[dict[str, JsonValue], AfterValidator(small_json)] | None = None
    value: SmallJson = None
    data: LargeJson = None
    disabled: bool = False


KINDS = (
    Kind("table", "Table", TableProperties, frozenset({"chosen"}), frozenset({"row", "choose", "edit"}), (12, 10)),
    Kind("chart", "Chart", ChartProperties, frozenset({"picked"}), frozenset({"pick"}), (6, 6)),
    Kind("metric", "Metric", MetricProperties, size=(3, 2), category="data"),
    Kind("code", "Code", CodeProperties, size=(6, 4), category="text"),
    Kind("json", "JSON", JsonProperties, size=(6, 4), category="data"),
    Kind("custom", "Custom", CustomProperties, VALUE, CHANGE, (6, 4), category="data", holds="props"),
    Kind("divider", "Divider", DividerProperties, size=(12, 1), category="layout"),
)
