"""Formats, schemas, values, snippets and links: pure functions."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefect_worklets.panel_views.console import formats, snippets
from prefect_worklets.panel_views.console.links import ConsoleLinks, local_path
from prefect_worklets.panel_views.console.recorder_state import read_recorder_state
from prefect_worklets.panel_views.console.schema import example, form_fields, schema_rows, type_name
from prefect_worklets.panel_views.console.values import MAX_TEXT, compact_json, shown_value

NOON = datetime(2025, 3, 4, 12, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


WORDS = [
    "type",
    "properties",
    "items",
    "enum",
    "anyOf",
    "allOf",
    "oneOf",
    "$ref",
    "required",
    "default",
    "minimum",
    "maxLength",
    "examples",
    "description",
    "format",
    "const",
    "contentMediaType",
]
SCHEMAS = st.recursive(
    JSON | st.sampled_from(["object", "array", "string", "integer", "#", "#/properties"]),
    lambda inner: (
        st.dictionaries(st.sampled_from(WORDS), inner, max_size=5)
        | st.dictionaries(st.sampled_from(["a", "b"]), inner)
        | st.lists(inner, max_size=3)
    ),
    max_leaves=15,
)


class TestFormats:
    @pytest.mark.parametrize(
        ("microseconds", "text"),
        [
            (0, "0 µs"),
            (850, "850 µs"),
            (1_500, "1.5 ms"),
            (12_400, "12.4 ms"),
            (300_000, "300 ms"),
            (3_250_000, "3.25 s"),
            (125_000_000, "2 min 5 s"),
            (7_260_000_000, "2 h 1 min"),
            (-5, "0 µs"),
        ],
    )
    def test_duration(self, microseconds: int, text: str) -> None:
        assert formats.duration(microseconds) == text

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [
            (3, "just now"),
            (45, "45 s ago"),
            (61, "1 min ago"),
            (7_300, "2 h ago"),
            (90_000, "1 day ago"),
            (200_000, "2 days ago"),
            (-5, "just now"),
            (-500, "in 8 min"),
            (-7200, "in 2 h"),
            (-200_000, "in 2 days"),
        ],
    )
    def test_ago(self, seconds: int, text: str) -> None:
        assert formats.ago(NOON - timedelta(seconds=seconds), NOON) == text

    def test_size_and_amount(self) -> None:
        assert [formats.size(count) for count in (912, 4213, 11_534_112)] == ["912 B", "4.21 kB", "11.5 MB"]
        assert formats.amount(1234567) == "1\u202f234\u202f567"

    def test_a_time_is_exact_on_hovering(self) -> None:
        assert 'title="2025-03-04 12:00:00 UTC"' in formats.time_element(NOON, NOON)
        assert formats.time_element(None) == "—"

    def test_backticks_become_code_and_all_else_is_escaped(self) -> None:
        assert formats.with_code("run `a <b>` <i>") == "run <code>a &lt;b&gt;</code> &lt;i&gt;"
        assert formats.with_code("one ` alone <") == "one ` alone &lt;"


class TestLocalPath:
    @pytest.mark.parametrize("path", ["/console/runs?state=failed", "/views/a", "/embed/x#y"])
    def test_a_path_of_this_server_is_kept(self, path: str) -> None:
        assert local_path(path) == path

    @pytest.mark.parametrize(
        "path",
        [
            None,
            "",
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "/a\\b",
            "\\\\evil.example",
            "javascript:alert(1)",
            "/console\r\nset-cookie: a=b",
            "/\t/evil.example",
            "/login?next=/login",
            "/logout",
            "console",
        ],
    )
    def test_anything_else_leads_to_the_console(self, path: str | None) -> None:
        assert local_path(path) == "/console"

    @pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,x", "", None])
    def test_prefect_must_be_http(self, address: str | None) -> None:
        links = ConsoleLinks(prefect_ui=address, flow_run=lambda run: run)
        assert links.prefect is None
        assert links.prefect_run("a") is None

    def test_a_run_in_prefect(self) -> None:
        links = ConsoleLinks(prefect_ui="http://p:4200/", flow_run={"a": "f/1"}.get)
        assert links.prefect_run("a") == "http://p:4200/runs/flow-run/f%2F1"
        assert links.prefect_run("b") is None


class TestSchema:
    SCHEMA: ClassVar[dict[str, Any]] = {
        "$defs": {
            "Mode": {"enum": ["fast", "fine"], "type": "string"},
            "Inner": {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]},
        },
        "type": "object",
        "required": ["picture", "inner"],
        "properties": {
            "picture": {"type": "string", "format": "image", "description": "What to paint."},
            "inner": {"$ref": "#/$defs/Inner"},
            "mode": {"allOf": [{"$ref": "#/$defs/Mode"}], "default": "fast"},
            "size": {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 9}, {"type": "null"}], "default": None},
            "sure": {"type": "boolean", "default": True},
            "names": {"type": "array", "items": {"type": "string"}},
            "either": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
            "essay": {"type": "string", "maxLength": 4000},
        },
    }

    def test_rows(self) -> None:
        rows = {(row.name, row.depth): row for row in schema_rows(self.SCHEMA)}
        assert rows["picture", 0].type == "image"
        assert rows["picture", 0].required
        assert rows["id", 1].type == "whole number"
        assert rows["mode", 0].type == "one of fast, fine"
        assert rows["mode", 0].note == "default fast"
        assert rows["size", 0].note == "at least 1 · at most 9"
        assert rows["names", 0].type == "list of text"
        assert rows["either", 0].type == "whole number or text"

    def test_controls(self) -> None:
        fields = {field.label: field for field in form_fields(self.SCHEMA)}
        assert {label: field.control for label, field in fields.items()} == {
            "picture": "image",
            "inner": "group",
            "mode": "select",
            "size": "number",
            "sure": "checkbox",
            "names": "json",
            "either": "json",
            "essay": "long-text",
        }
        assert fields["inner"].children[0].path == ("inner", "id")
        assert fields["size"].attributes == {"min": "1", "max": "9", "step": "1"}
        assert fields["mode"].options == (('"fast"', "fast"), ('"fine"', "fine"))
        assert fields["mode"].value == '"fast"'
        assert fields["sure"].value == "yes"

    def test_a_body_that_is_no_object_is_one_control(self) -> None:
        (field,) = form_fields({"type": "number"})
        assert (field.path, field.control, field.pointer) == ((), "number", "[]")
        assert [row.type for row in schema_rows({"type": "number"})] == ["number"]

    def test_an_example_fits(self) -> None:
        value = example(self.SCHEMA)
        assert value["inner"] == {"id": 1}
        assert value["mode"] == "fast"
        assert value["size"] == 1
        assert value["picture"].startswith("https://")

    def test_a_schema_that_holds_itself_ends(self) -> None:
        schema: dict[str, Any] = {
            "$ref": "#/$defs/Tree",
            "$defs": {
                "Tree": {
                    "type": "object",
                    "properties": {
                        "next": {"$ref": "#/$defs/Tree"},
                        "all": {"type": "array", "items": {"$ref": "#/$defs/Tree"}},
                    },
                }
            },
        }
        assert len(schema_rows(schema)) < 1000
        assert form_fields(schema)
        assert example(schema)

    @given(SCHEMAS)
    def test_no_value_breaks_it(self, schema: Any) -> None:
        schema_rows(schema)
        form_fields(schema)
        example(schema)

    @pytest.mark.parametrize("schema", [None, [], "x", 3, {"$ref": "#/nowhere"}, {"properties": 3}, {"$ref": "#/$ref"}])
    def test_what_is_no_schema_takes_anything(self, schema: Any) -> None:
        assert type_name(schema, {}) == "anything"
        assert example(schema) is None
        assert [field.control for field in form_fields(schema)] == ["json"]


class TestValues:
    @given(JSON)
    def test_compact_json_is_the_same_value(self, value: Any) -> None:
        assert json.loads(compact_json(value)) == value

    def test_short_parts_stay_on_a_line(self) -> None:
        value = {"image": "x" * 60, "size": [384, 288], "model": {"name": "a", "version": "1"}}
        assert '  "size": [384, 288],\n' in compact_json(value)

    def test_pictures_are_found_by_place(self) -> None:
        mine, other = "a" * 32, "b" * 32
        url = "data:image/png;base64,AAAA"
        value = {"image": f"/api/files/{mine}", "list": [url, f"/api/files/{other}"], "no": "/api/files/x y"}
        shown = shown_value(orjson.dumps(value), lambda wanted: wanted & {mine})
        assert shown is not None
        assert [(picture.place, picture.source) for picture in shown.pictures] == [
            ("image", f"/api/files/{mine}"),
            ("list.0", url),
        ]

    @pytest.mark.parametrize(
        "text", ["data:text/html;base64,AAAA", "data:image/svg+xml;base64,AAAA", "javascript:x", "//evil/api/files/a"]
    )
    def test_other_addresses_are_no_pictures(self, text: str) -> None:
        shown = shown_value(orjson.dumps([text]), lambda wanted: wanted)
        assert shown is not None
        assert shown.pictures == ()

    def test_what_was_cut_out_is_a_phrase(self) -> None:
        shown = shown_value(b'{"a": {"$truncated": 120345, "media_type": "image/png"}}', lambda wanted: wanted)
        assert shown is not None
        assert "image, 120 kB" in shown.text

    @pytest.mark.parametrize("content", [b"[" + b"1," * 100_000 + b"1]", b"x" * 5_000_000, b"{broken" * 9_000])
    def test_a_large_value_is_cut(self, content: bytes) -> None:
        shown = shown_value(content, lambda wanted: wanted)
        assert shown is not None
        assert shown.cut
        assert len(shown.text) <= MAX_TEXT

    def test_nothing_is_nothing(self) -> None:
        assert shown_value(None, lambda wanted: wanted) is None
        assert shown_value(b"", lambda wanted: wanted) is None


def words_of(command: str) -> list[str]:
    """The arguments that a shell gives to curl."""
    script = command.replace("curl ", "printf '%s\\n' ", 1)
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout.splitlines()


class TestSnippets:
    BODY: ClassVar[dict[str, Any]] = {"text": 'it\'s "quoted" $HOME `id` \\', "n": 1, "none": None}

    def test_the_shell_gives_the_body_on_as_it_is(self) -> None:
        words = words_of(snippets.worklet_curl("http://h:1", "a b", {"default": self.BODY}))
        assert words[0] == "http://h:1/api/worklets/a%20b/invoke"
        assert json.loads(words[-1]) == self.BODY

    def test_pictures_go_in_a_form(self) -> None:
        schema = {
            "properties": {
                "a picture": {"type": "string", "format": "image"},
                "text": {"type": "string", "default": "@file; $HOME 'x'"},
                "size": {"type": "integer", "default": 384},
                "none": {"type": "null"},
            }
        }
        words = words_of(snippets.worklet_curl("http://h", "w", schema))
        assert words[3:] == [
            *("-F", "a picture=@a picture.jpg"),
            *("--form-string", "text=@file; $HOME 'x'"),
            *("-F", "size=384"),
        ]
        assert "'a picture': Path('a picture.jpg')," in snippets.worklet_python("w", schema)

    def test_python_is_python(self) -> None:
        source = snippets.worklet_python("x'y", {"default": {"a": "b" * 50, "c": None}})
        compile(source, "snippet", "exec")
        assert "x'y" in source


class TestRecorderState:
    @pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b"3"])
    def test_what_can_not_be_read_is_unknown(self, tmp_path: Any, content: bytes | None) -> None:
        path = tmp_path / "recorder.json"
        if content is not None:
            path.write_bytes(content)
        assert "not heard from yet" in read_recorder_state(path).backlog[1]

    @pytest.mark.parametrize(
        ("value", "prefect", "backlog"),
        [
            ({"prefect": {"prefect_up": True, "backlog": 0}}, "completed", "Every run is in Prefect"),
            ({"prefect": {"prefect_up": False, "backlog": 1}}, "failed", "1 run on the way to Prefect"),
            ({"prefect": {"prefect_up": "?", "backlog": None}}, "none", "Recorder not heard from yet"),
            ({"prefect": None}, "none", "Runs are kept here"),
            ({"prefect": {}, "time": 10}, "none", "The recorder does not run; its runs wait"),
            ({"prefect": {}, "running": False}, "none", "The recorder does not run; its runs wait"),
        ],
    )
    def test_states(self, tmp_path: Any, value: dict[str, Any], prefect: str, backlog: str) -> None:
        path = tmp_path / "recorder.json"
        path.write_bytes(orjson.dumps({"time": 1000.0, **value}))
        state = read_recorder_state(path, now=1001.0)
        assert state.prefect[0] == prefect
        assert state.backlog[1] == backlog
