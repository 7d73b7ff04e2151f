"""The components that hold others."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .kind import CHANGE, VALUE, Kind, Label, Properties

Words = Annotated[str, Field(max_length=1000)]


class CardProperties(Properties):
    """A surface that holds other components on a grid of its own."""

    title: Label = ""
    description: Words = ""


class GroupProperties(Properties):
    """Other components on a grid of its own, without a surface: a tab's content, or a column."""

    title: Label = ""
    description: Words = ""


class FormProperties(Properties):
    """Fields that are given as one: all are checked, then `submit` brings their values by id."""

    title: Label = ""
    description: Words = ""
    style: Literal["card", "plain"] = "card"
    submit_label: Label = "Save"
    busy_label: Label = ""
    reset_label: Label = ""
    busy: bool = False
    disabled: bool = False
    error: Label | None = None


class TabsProperties(Properties):
    """Each component inside is a tab, named by its title or label. The value is the id of the one that is shown."""

    label: Label = ""
    value: Label | None = None


class ModalProperties(Properties):
    """A window over the page, for as long as `open` is true."""

    title: Label = ""
    description: Words = ""
    open: bool = False
    size: Literal["small", "medium", "large"] = "medium"


KINDS = (
    Kind("card", "Card", CardProperties, size=(6, 8), container=True, category="layout"),
    Kind("container", "Group", GroupProperties, size=(6, 6), container=True, category="layout"),
    Kind("form", "Form", FormProperties, frozenset({"values"}), frozenset({"submit", "reset"}), (6, 8), True, "layout"),
    Kind("tabs", "Tabs", TabsProperties, VALUE, CHANGE, (12, 8), True, "layout"),
    Kind("modal", "Modal", ModalProperties, frozenset({"open"}), frozenset({"close"}), (6, 4), True, "layout"),
)
