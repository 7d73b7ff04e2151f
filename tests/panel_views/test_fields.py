"""What the fields refuse, on the server's side: the browser's own checks are only for its user's comfort."""

from __future__ import annotations

from typing import Any

import pytest
from prefect_worklets.panel_views.components.base import Events
from prefect_worklets.panel_views.components.code import words_of
from prefect_worklets.panel_views.components.grid import DRAWN
from prefect_worklets.panel_views.components.json_tree import MAX_PARTS, shortened
from prefect_worklets.panel_views.document import Component


class Heard:
    """A component, and what it told of."""

    def __init__(self, type: str, **properties: Any) -> None:
        self.values: list[Any] = []
        self.fired: list[tuple[str, Any]] = []
        events = Events(
            lambda component, name, value: self.values.append(value),
            lambda component, event, data: self.fired.append((event, data)),
            lambda component, what, data: None,
        )
        self.made = DRAWN[type](Component(id="it", type=type, properties=properties), events)

    def given(self, value: Any) -> str | None:
        """Give a value as the browser does; answers the complaint that is shown."""
        self.made._handle_msg({"value": "value", "data": value})
        complaint: str | None = self.made.props.get("error")
        return complaint


@pytest.mark.parametrize(
    ("type", "properties", "value", "said"),
    [
        ("text_input", {"required": True}, None, "Fill this in."),
        ("text_input", {"required": True}, "", "Fill this in."),
        ("text_input", {"min_length": 3}, "ab", "Write at least 3 characters; there are 2."),
        ("text_input", {"max_length": 3}, "abcd", "Write at most 3 characters; there are 4."),
        ("text_input", {"mode": "email"}, "ada@", "Enter an e-mail address, such as ada@example.org."),
        ("text_input", {"mode": "url"}, "javascript:alert(1)", "begins with https://"),
        ("text_input", {"pattern": "[A-Z]{2}[0-9]+"}, "AB1x", "does not have the form"),
        ("text_input", {"pattern": "a|b", "pattern_help": "An a or a b."}, "ac", "An a or a b."),
        ("text_area", {"min_length": 10}, "short", "at least 10"),
        ("number", {"min": 0, "max": 1}, 1.5, "Enter a number from 0 to 1."),
        ("slider", {"min": 2, "max": 4}, 1, "Enter a number from 2 to 4."),
        ("number", {}, None, "Enter a number."),
        ("number", {"blank": True, "required": True}, None, "Fill this in."),
        ("checkbox", {"required": True}, False, "Tick this to go on."),
        ("dropdown", {"options": ["a", "b"]}, "c", "Choose one of the options."),
        ("radio", {"options": [{"value": 1, "label": "one"}]}, 2, "Choose one of the options."),
        ("multi_select", {"options": ["a", "b"]}, ["a", "c"], "Choose one of the options."),
        ("multi_select", {"options": ["a", "b"], "min_items": 2}, ["a"], "Choose at least 2."),
        ("multi_select", {"options": ["a", "b"], "max_items": 1}, ["a", "b"], "Choose at most 1."),
        ("date", {}, "06:30", "Enter a date."),
        ("date", {"mode": "time"}, "2024-02-29", "Enter a time."),
        ("date", {"min": "2024-01-01"}, "2023-12-31", "Not before 2024-01-01."),
        ("date", {"mode": "datetime", "max": "2024-01-01T12:00"}, "2024-01-01T12:01", "Not after 2024-01-01 12:00."),
        ("file_input", {"multiple": False}, [{"url": "/a"}, {"url": "/b"}], "At most 1 can be given."),
        ("file_input", {"max_bytes": 10}, [{"url": "/a", "name": "a.txt", "size": 11}], "a.txt has 11 bytes"),
        ("file_input", {"accept": ["image/*"]}, [{"url": "/a", "type": "text/html"}], "kind that is not taken"),
    ],
)
def test_a_wrong_value_is_told_and_reads_as_nothing(
    type: str, properties: dict[str, Any], value: Any, said: str
) -> None:
    heard = Heard(type, **properties)
    assert said in (heard.given(value) or "")
    assert heard.values == [None]
    assert heard.fired == []


@pytest.mark.parametrize(
    ("type", "properties", "value"),
    [
        ("text_input", {"required": True, "pattern": "a|bc"}, "bc"),
        ("text_input", {"mode": "email"}, "ada@example.org"),
        ("text_input", {}, None),
        ("number", {"blank": True, "value": 3}, None),
        ("dropdown", {"options": [{"value": 2, "label": "two"}]}, 2),
        ("dropdown", {"options": [True, False]}, False),
        ("multi_select", {"options": ["a", "b"]}, []),
        ("date", {"mode": "datetime", "min": "2024-01-01T00:00"}, "2024-01-01T12:01"),
        ("checkbox", {"required": True}, True),
        ("file_input", {"accept": ["image/*"]}, [{"url": "/a", "name": "a", "size": 1, "type": "image/png"}]),
    ],
)
def test_a_right_value_is_taken(type: str, properties: dict[str, Any], value: Any) -> None:
    heard = Heard(type, **properties)
    assert heard.given(value) is None
    assert heard.values == [value]
    assert heard.fired == [("change", {"value": value})]


def test_a_right_value_takes_the_complaint_away() -> None:
    heard = Heard("number", max=10)
    assert heard.given(11) is not None
    assert heard.given(9) is None


def test_reset_puts_the_first_value_back() -> None:
    heard = Heard("number", max=10, value=4)
    heard.given(11)
    heard.made.reset()
    assert (heard.made.props["value"], heard.made.props["error"], heard.values) == (4, None, [None, 4])


def test_enter_submits_a_text_that_is_right() -> None:
    heard = Heard("text_input", min_length=2)
    for text in ("a", "ab"):
        heard.given(text)
        heard.made._handle_msg({"event": "submit", "data": None})
    assert heard.fired == [("change", {"value": "ab"}), ("submit", {"value": "ab"})]


def test_a_pattern_of_a_stranger_s_text_ends_soon() -> None:
    # With back-tracking this pattern would take until the end of the world.
    assert Heard("text_input", pattern="(a+)+b", max_length=20_000).given("a" * 20_000) is not None


@pytest.mark.parametrize("language", ["text", "python", "sql", "json", "bash", "javascript"])
@pytest.mark.parametrize("text", ["", "\n\n  x = '<b>'\t# ü\n", "<script>alert(1)</script>", "'" * 500])
def test_code_is_the_same_text_when_it_is_coloured(language: str, text: str) -> None:
    assert "".join(piece for _, piece in words_of(text, language)) == text


def test_long_json_is_cut() -> None:
    value, left = shortened({"list": list(range(100_000)), "text": "x" * 100_000})
    assert left <= 0
    assert len(value["list"]) < MAX_PARTS
    assert shortened({"a": [1, None, {"b": "c"}]})[0] == {"a": [1, None, {"b": "c"}]}
