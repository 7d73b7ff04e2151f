"""The components that show data."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from .kind import Kind, Label, Properties, Text


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


KINDS = (
    Kind("metric", "Metric", MetricProperties, size=(3, 2), category="data"),
    Kind("code", "Code", CodeProperties, size=(6, 4), category="text"),
    Kind("json", "JSON", JsonProperties, size=(6, 4), category="data"),
    Kind("divider", "Divider", DividerProperties, size=(12, 1), category="layout"),
)
