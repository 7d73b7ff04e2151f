"""The table: what is found in which order, what an edit means, the file, and the whole in a browser."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from playwright.sync_api import expect
from prefect_worklets.panel_views.cells import Cell
from prefect_worklets.panel_views.components.base import Events
from prefect_worklets.panel_views.components.table import Table
from prefect_worklets.panel_views.components.table_rows import Wish, as_csv, column_names, fits, read_wish, sifted
from prefect_worklets.panel_views.document import Component

from .test_browser import PATIENCE, opened, part, sign_in

ROWS: list[dict[str, Any]] = [
    {"id": 1, "name": "Setosa", "p": 0.9, "ok": True, "data": {"n": 3}},
    {"id": 2, "name": "virginica", "p": None, "ok": False, "data": {"n": 1}},
    {"id": 3, "name": "=1+1", "p": 0.2, "ok": True, "data": {"n": 2}},
    {"id": 4, "name": "versicolor", "p": 0.5, "ok": None, "data": {}},
]
COLUMNS = ["id", "name", "p", "ok", "data.n"]


class TestRows:
    @pytest.mark.parametrize(
        ("wish", "ids"),
        [
            (Wish(), [1, 2, 3, 4]),
            (Wish(sort="p"), [3, 4, 1, 2]),
            (Wish(sort="p", descending=True), [1, 4, 3, 2]),
            (Wish(sort="name"), [3, 1, 4, 2]),
            (Wish(sort="data.n"), [2, 3, 1, 4]),
            (Wish(search="VIR"), [2]),
            (Wish(search="0.2"), [3]),
            (Wish(filters={"p": ">= 0.5"}), [1, 4]),
            (Wish(filters={"p": "0.1 .. 0.6", "ok": "yes"}), [3]),
            (Wish(filters={"name": "("}), []),
        ],
    )
    def test_found_in_order(self, wish: Wish, ids: list[int]) -> None:
        assert [ROWS[n]["id"] for n in sifted(ROWS, COLUMNS, wish)] == ids

    def test_mixed_types_sort(self) -> None:
        rows = [{"a": value} for value in ("b", 2, None, True, float("nan"), [1], {"x": 1}, "A")]
        assert len(sifted(rows, ["a"], Wish(sort="a"))) == len(rows)

    @pytest.mark.parametrize(("value", "text", "fit"), [(3, "=3", True), ("3", "=3", False), (True, ">0", False)])
    def test_numbers_are_compared_with_numbers(self, value: Any, text: str, fit: bool) -> None:
        assert fits(value, text) is fit

    def test_an_object_gives_a_column_for_each_key(self) -> None:
        assert column_names(ROWS) == [*COLUMNS, "data"]

    @pytest.mark.parametrize("data", [None, 3, {"page": "1"}, {"page": -1}, {"page": True}, {"filters": 3}])
    def test_nonsense_is_no_wish(self, data: Any) -> None:
        with pytest.raises((TypeError, ValueError)):
            read_wish(data, COLUMNS)

    def test_unknown_columns_are_not_sorted_by(self) -> None:
        assert read_wish({"sort": "__class__", "filters": {"x": "1"}}, COLUMNS) == Wish()

    def test_a_spreadsheet_runs_nothing_of_the_file(self) -> None:
        text = as_csv(ROWS, [2], ["id", "name", "p"], ["id", "@name", "p"])
        assert list(csv.reader(io.StringIO(text))) == [["id", "'@name", "p"], ["3", "'=1+1", "0.2"]]


class Heard:
    def __init__(self, **properties: Any) -> None:
        self.told: list[tuple[str, Any]] = []
        note = lambda component, name, value: self.told.append((name, value))  # noqa: E731
        self.table = Table(Component(id="it", type="table", properties=properties), Events(note, note, note))
        self.sent: list[dict[str, Any]] = []
        self.table._send_msg = self.sent.append

    def ask(self, what: str, data: Any) -> None:
        self.table._handle_msg({"ask": what, "data": data})


class TestOnTheServer:
    def test_only_a_page_goes_to_the_browser(self) -> None:
        heard = Heard(rows=[{"n": n} for n in range(5_000)], page_size=20)
        assert len(heard.table.props["rows"]) == 20
        heard.ask("view", {"page": 9_999, "sort": "n", "descending": True})
        assert heard.table.props["page"] == 249
        assert heard.table.props["rows"][-1] == {"n": 0, "cells": [0]}

    def test_a_press_brings_the_whole_row(self) -> None:
        heard = Heard(rows=ROWS)
        heard.table._handle_msg({"event": "row", "data": 1})
        assert heard.told == [("row", {"row": ROWS[1], "index": 1})]

    @pytest.mark.parametrize("data", [-1, 4, "1", True, None, {"forged": 1}])
    def test_a_row_that_is_not_there(self, data: Any) -> None:
        heard = Heard(rows=ROWS, choose="many")
        heard.table._handle_msg({"event": "row", "data": data})
        heard.ask("choose", [data])
        assert heard.told == []

    def test_choosing(self) -> None:
        heard = Heard(rows=ROWS, choose="one")
        heard.ask("choose", [0, 1])
        assert heard.told == []
        heard.ask("choose", [1])
        assert heard.told == [("chosen", [ROWS[1]]), ("choose", {"rows": [ROWS[1]]})]
        heard.table.show_cell("rows", Cell.of(ROWS[:1]))
        assert heard.table.props["chosen"] == []

    @pytest.mark.parametrize(
        ("column", "text", "value"),
        [("p", "1,000.5", 1000.5), ("p", "", None), ("id", "7", 7), ("ok", "no", False), ("data.n", "4", 4)],
    )
    def test_an_edit(self, column: str, text: str, value: Any) -> None:
        columns = [{"name": name, "editable": True} for name in COLUMNS]
        heard = Heard(rows=ROWS, columns=columns)
        heard.ask("edit", {"row": 0, "column": column, "text": text})
        ((event, data),) = heard.told
        assert (event, data["column"], data["value"]) == ("edit", column, value)
        assert data["row"] != ROWS[0]
        assert ROWS[0]["data"] == {"n": 3}

    @pytest.mark.parametrize(("column", "text"), [("p", "high"), ("ok", "perhaps"), ("p", "nan"), ("p", "inf")])
    def test_an_edit_that_does_not_fit_is_said(self, column: str, text: str) -> None:
        heard = Heard(rows=ROWS, columns=[{"name": column, "editable": True, "title": "The column"}])
        heard.ask("edit", {"row": 0, "column": column, "text": text})
        assert heard.told == []
        assert heard.sent == [{"refused": f"{text!r} does not fit The column."}]

    def test_what_is_not_to_be_edited_is_not(self) -> None:
        heard = Heard(rows=ROWS, columns=[{"name": "p"}])
        heard.ask("edit", {"row": 0, "column": "p", "text": "1"})
        heard.ask("edit", {"row": 0, "column": "id", "text": "1"})
        assert (heard.told, heard.sent) == ([], [])


@pytest.mark.browser
@pytest.mark.integration
def test_in_a_browser(visitor: Any, instance: Any, tmp_path: Any) -> None:
    rows = [{"id": n, "name": f"row {n:02}", "p": n / 100} for n in range(30)]
    table = {
        "id": "rows",
        "type": "table",
        "at": {"h": 8},
        "properties": {"label": "Rows", "rows": rows, "choose": "many", "filters": True,
                       "columns": [{"name": "name"}, {"name": "p", "editable": True}]},
        "actions": {"row": [{"do": "set_state", "state": "session.said", "value": {"event": "row.name"}}],
                    "edit": [{"do": "set_state", "state": "session.said", "value": {"event": "value"}}]},
    }  # fmt: skip
    said = {"id": "said", "type": "text", "at": {"y": 9}, "bindings": {"text": {"state": "session.said"}}}
    count = {
        "id": "count",
        "type": "text",
        "at": {"y": 10},
        "bindings": {"text": {"expr": "len(components.rows.chosen)"}},
    }
    instance.publish({"slug": "rows", "title": "Rows", "state": [{"name": "said"}],
                      "pages": [{"components": [table, said, count]}]})  # fmt: skip
    sign_in(visitor, instance, "noa")
    page = opened(visitor, instance, "rows")
    box = part(page, "rows")
    first = box.locator("tbody tr").first
    expect(box.locator("tbody tr")).to_have_count(10, timeout=PATIENCE)
    box.get_by_role("button", name="Next page").click()
    expect(first).to_contain_text("row 10", timeout=PATIENCE)
    box.get_by_role("button", name="name").click()
    box.get_by_role("button", name="name").click()
    expect(first).to_contain_text("row 29", timeout=PATIENCE)
    first.click(position={"x": 80, "y": 10})
    expect(part(page, "said")).to_have_text("row 29", timeout=PATIENCE)
    first.locator("td.edits").focus()
    page.keyboard.press("Enter")
    page.keyboard.type("0.75")
    page.keyboard.press("Enter")
    expect(part(page, "said")).to_have_text("0.75", timeout=PATIENCE)
    box.get_by_label("Filter p").fill(">0.2")
    expect(box.get_by_text("9 rows of 30")).to_be_visible(timeout=PATIENCE)
    first.get_by_role("checkbox").click()
    expect(part(page, "count")).to_have_text("1", timeout=PATIENCE)
    with page.expect_download() as download:
        box.get_by_role("button", name="CSV").click()
    download.value.save_as(tmp_path / "rows.csv")
    lines = (tmp_path / "rows.csv").read_text(encoding="utf-8-sig").splitlines()
    assert (lines[0], lines[1], len(lines)) == ("name,p", "row 29,0.75", 10)
    box.get_by_label("Search the rows").fill("nothing such")
    expect(box.get_by_text("No row fits the search")).to_be_visible(timeout=PATIENCE)
