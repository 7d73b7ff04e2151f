"""What is cut out of a record, and how people read it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from prefect_worklets.flows.shortening import is_shortened, readable, shorten

PICTURE = "data:image/jpeg;base64," + "A" * 123_000


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"$truncated": 123_456, "media_type": "image/png"}, "image, 123 kB"),
        ({"$truncated": 2_500_000, "media_type": "text/plain"}, "text, 2.5 MB"),
        ({"$truncated": 900}, "value, 900 bytes"),
        ({"$truncated": "what", "media_type": "image/png"}, "image"),
        ([PICTURE, 1, None], ["image, 123 kB", 1, None]),
        ({"a": {"b": "x" * 2000}}, {"a": {"b": "text, 2 kB"}}),
        ("short", "short"),
    ],
)
def test_people_read_what_and_how_much(value: Any, shown: Any) -> None:
    assert readable(value) == shown


def test_short_parts_stay() -> None:
    short = shorten(json.dumps({"content": PICTURE, "style": "x", "size": 5}).encode(), 1000)
    assert json.loads(short) == {
        "content": {"$truncated": len(PICTURE), "media_type": "image/jpeg"},
        "style": "x",
        "size": 5,
    }


@pytest.mark.parametrize("value", [b"[" + b"1," * 50_000 + b"1]", b'"' + b"x" * (9 << 20) + b'"', b"not json " * 1000])
def test_what_can_not_be_cut_leaves_its_size(value: bytes) -> None:
    assert json.loads(shorten(value, 1000)) == {"$truncated": len(value)}


def test_a_record_tells_whether_it_is_whole() -> None:
    assert is_shortened(shorten(json.dumps([PICTURE]).encode(), 1000))
    assert not is_shortened(b'{"a": 1}')
    assert not is_shortened(None)
