"""The chart: its points from rows, and the press on one of them."""

from __future__ import annotations

import math
from typing import Any

import pytest
from playwright.sync_api import expect
from prefect_worklets.panel_views.components.base import Events
from prefect_worklets.panel_views.components.chart import Chart
from prefect_worklets.panel_views.components.chart_data import MAX_POINTS, axis_type, chart_data
from prefect_worklets.panel_views.document import Component

from .test_browser import PATIENCE, opened, part, sign_in

BASE: dict[str, Any] = {"kind": "line", "x": "x", "y": ["y"], "color": "", "value": "", "bins": None}


def made(rows: list[dict[str, Any]], **properties: Any) -> dict[str, Any]:
    return chart_data({**BASE, "rows": rows, **properties})


def test_a_line_for_each_column_and_gaps_where_there_is_no_number() -> None:
    data = made([{"x": 1, "y": 2.0, "z": math.nan}, {"x": 2, "y": None, "z": "text"}], y=["y", "z"])
    assert data["x_type"] == "value"
    assert [(one["name"], one["points"]) for one in data["series"]] == [
        ("y", [[1, 2.0, 0], [2, None, 1]]),
        ("z", [[1, None, 0], [2, None, 1]]),
    ]


def test_a_series_for_each_value_of_a_column() -> None:
    data = made([{"x": "a", "y": 1, "c": "one"}, {"x": "b", "y": 2, "c": "two"}], color="c")
    assert (data["x_type"], [one["name"] for one in data["series"]]) == ("category", ["one", "two"])


def test_a_histogram_counts_every_number_once() -> None:
    data = made([{"x": value} for value in (0, 1, 1, 2, 10, None, "no", math.inf)], kind="histogram", bins=5)
    assert data["edges"] == [0, 2, 4, 6, 8, 10]
    assert [point[1] for point in data["series"][0]["points"]] == [3, 1, 0, 0, 1]


def test_a_histogram_of_one_value() -> None:
    assert sum(point[1] for point in made([{"x": 5}, {"x": 5}], kind="histogram")["series"][0]["points"]) == 2


def test_a_heat_map() -> None:
    rows = [{"x": "a", "y": "b", "n": 1}, {"x": "c", "y": "b", "n": 4}]
    data = made(rows, kind="heatmap", value="n")
    assert (data["columns"], data["lines"], data["range"]) == (["a", "c"], ["b"], [1, 4])
    assert data["series"][0]["points"] == [[0, 0, 1, 0], [1, 0, 4, 1]]


@pytest.mark.parametrize(
    ("rows", "properties", "note"),
    [
        ([], {}, ""),
        ([{"a": 1}], {}, "The rows have no column 'x', 'y'."),
        ([{"x": "a"}], {"kind": "histogram"}, "The column 'x' has no numbers."),
        ([{"x": n, "y": n} for n in range(201)], {"kind": "heatmap"}, "at most 200"),
    ],
)
def test_what_can_t_be_drawn_is_said(rows: list[dict[str, Any]], properties: dict[str, Any], note: str) -> None:
    data = made(rows, **properties)
    assert data["series"] == []
    assert note in data["note"]


def test_too_many_points_are_thinned_and_it_is_said() -> None:
    data = made([{"x": n, "y": n} for n in range(3 * MAX_POINTS)])
    assert len(data["series"][0]["points"]) <= MAX_POINTS
    assert data["note"] == "One of every 3 rows is drawn; there are 60,000."


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2.5, None], "value"),
        (["2024-01-31", "2024-01-31T10:00:00Z"], "time"),
        (["a", 1], "category"),
        ([], "category"),
    ],
)
def test_axis(values: list[Any], kind: str) -> None:
    assert axis_type(values) == kind


@pytest.mark.parametrize(("index", "row"), [(1, {"x": 2, "y": 1}), (7, None), (-1, None), ("0", None), (True, None)])
def test_a_press_brings_the_row_that_the_server_knows(index: Any, row: Any) -> None:
    told: list[Any] = []
    note = lambda component, name, value: told.append((name, value))  # noqa: E731
    rows = [{"x": 1, "y": 1}, {"x": 2, "y": 1}]
    chart = Chart(
        Component(id="it", type="chart", properties={"rows": rows, "x": "x", "y": ["y"]}), Events(note, note, note)
    )
    chart._handle_msg({"event": "pick", "data": {"index": index, "series": "y"}})
    assert told == ([("picked", row), ("pick", {"row": row, "index": index, "series": "y"})] if row else [])


@pytest.mark.browser
@pytest.mark.integration
def test_a_press_in_a_browser(visitor: Any, instance: Any) -> None:
    chart = {
        "id": "chart",
        "type": "chart",
        "at": {"h": 6},
        "properties": {"kind": "bar", "x": "name", "y": ["n"], "rows": [{"name": "<b>only</b>", "n": 3}]},
        "actions": {"pick": [{"do": "set_state", "state": "session.said", "value": {"event": "row.name"}}]},
    }
    said = {"id": "said", "type": "text", "at": {"y": 7}, "bindings": {"text": {"state": "session.said"}}}
    instance.publish(
        {"slug": "bars", "title": "Bars", "state": [{"name": "said"}], "pages": [{"components": [chart, said]}]}
    )
    sign_in(visitor, instance, "noa")
    page = opened(visitor, instance, "bars")
    canvas = part(page, "chart").locator("canvas").first
    canvas.wait_for(timeout=PATIENCE)
    box = canvas.bounding_box()
    assert box is not None
    for _ in range(20):  # the bar grows before it can be pressed
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.8)
        if part(page, "said").text_content():
            break
        page.wait_for_timeout(200)
    expect(part(page, "said")).to_have_text("<b>only</b>", timeout=PATIENCE)
