"""Documents, sound, places, marks, talk and lines: on the server, and with real files in a browser."""

from __future__ import annotations

import io
import wave
from typing import Any

import pytest
from playwright.sync_api import expect
from prefect_worklets.connectors.access import Access
from prefect_worklets.connectors.file_addresses import file_url
from prefect_worklets.connectors.files import FileStore
from prefect_worklets.panel_views.components.base import Events, ViewComponent
from prefect_worklets.panel_views.components.grid import DRAWN
from prefect_worklets.panel_views.components.map import places_of, shapes_of
from prefect_worklets.panel_views.document import Component

from .test_browser import PATIENCE, opened, part, sign_in

PLACES: dict[str, Any] = {"latitude": "lat", "longitude": "lon", "text": "name", "color": ""}


def heard(type: str, **properties: Any) -> tuple[ViewComponent, list[Any]]:
    told: list[Any] = []

    def note(component: str, name: str, value: Any) -> None:
        told.append((name, value))

    return DRAWN[type](Component(id="it", type=type, properties=properties), Events(note, note, note)), told


class TestMap:
    def test_only_rows_with_a_place_are_shown(self) -> None:
        rows = [{"lat": 48.2, "lon": 16.4, "name": "<b>"}, {"lat": 91, "lon": 0}, {"lat": "x", "lon": 1}, {"lon": 1}]
        places, left = places_of({**PLACES, "rows": rows})
        assert (places, left) == ([{"at": (16.4, 48.2), "text": "<b>", "group": "", "n": 0}], 3)

    def test_shapes_with_their_feature_s_name(self) -> None:
        ring = [[0, 0], [1, 0], [1, 1], [0, 0]]
        geojson = {"type": "FeatureCollection", "features": [
            {"type": "Feature", "properties": {"name": "A"},
             "geometry": {"type": "MultiPolygon", "coordinates": [[ring]]}},
            {"type": "Feature", "properties": None, "geometry": {"type": "GeometryCollection", "geometries": [
                {"type": "LineString", "coordinates": ring[:2]}]}}]}  # fmt: skip
        shapes, broken = shapes_of(geojson)
        assert [(shape["text"], shape["closed"], len(shape["points"])) for shape in shapes] == [
            ("A", True, 4),
            ("", False, 2),
        ]
        assert not broken

    @pytest.mark.parametrize(
        "value", [{}, {"coordinates": 1}, {"type": "Polygon", "coordinates": [[["a", 1]]]}, {"features": 3}]
    )
    def test_what_can_t_be_read_is_said(self, value: Any) -> None:
        assert shapes_of(value) == ([], True)

    def test_a_press_brings_the_row(self) -> None:
        made, told = heard("map", rows=[{"lat": 1, "lon": 2}])
        for data in (0, 1, -1, "0", True, None):
            made._handle_msg({"event": "pick", "data": data})
        assert told == [("picked", {"lat": 1, "lon": 2}), ("pick", {"row": {"lat": 1, "lon": 2}, "index": 0})]


class TestAnnotation:
    @pytest.mark.parametrize(
        ("mark", "said"),
        [
            ({"kind": "box", "label": "cat", "x": 0.5, "y": 0, "w": 0.6, "h": 1}, "A mark reaches out of the picture."),
            ({"kind": "box", "label": "cow", "w": 0.1, "h": 0.1}, "Choose one of the labels."),
            ({"kind": "label", "label": "cat"}, "A label can't be set here."),
            ({"kind": "point", "label": "cat", "x": 0.5, "y": 0.5}, None),
        ],
    )
    def test_marks_are_checked(self, mark: dict[str, Any], said: str | None) -> None:
        made, told = heard("annotation", labels=["cat"])
        made._handle_msg({"value": "value", "data": [mark]})
        assert made.props.get("error") == said
        assert (told[0][1] is None) is (said is not None)


class TestChatAndLog:
    def test_only_answers_are_markdown_and_no_html(self) -> None:
        messages = [{"role": role, "text": "**b** <img src=x onerror=alert(1)>"} for role in ("user", "assistant")]
        made, _ = heard("chat", messages=messages)
        mine, theirs = made.props["messages"]
        assert mine["text"].startswith("**b** <img")
        assert "<strong>b</strong> &lt;img" in theirs["html"]

    @pytest.mark.parametrize("data", ["", "  ", None, 3, "x" * 20_001])
    def test_what_is_no_message(self, data: Any) -> None:
        made, told = heard("chat")
        made._handle_msg({"event": "send", "data": data})
        assert told == []

    def test_nothing_is_sent_while_it_is_busy(self) -> None:
        made, told = heard("chat", busy=True)
        made._handle_msg({"event": "send", "data": "hello"})
        assert told == []

    def test_only_the_newest_lines_go_to_the_browser(self) -> None:
        made, _ = heard("log", lines=[str(n) for n in range(5_000)], max_lines=10)
        assert (made.props["lines"][0], len(made.props["lines"]), made.props["total"]) == ("4990", 10, 5_000)
        made, _ = heard("log", lines="a\nb")
        assert made.props["lines"] == ["a", "b"]


def small_pdf(text: str) -> bytes:
    """A PDF of two pages with a text on each."""
    stream = f"BT /F1 24 Tf 60 700 Td ({text}) Tj ET".encode()
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 5 0 R/Resources<</Font<</F1 6 0 R>>>>>>"
    bodies = [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R 4 0 R]/Count 2>>", page, page,
              b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream),
              b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"]  # fmt: skip
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(bodies, start=1):
        places.append(len(out))
        out += b"%d 0 obj%s endobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return (
        out
        + b"xref\n0 7\n0000000000 65535 f \n"
        + table
        + b"trailer<</Size 7/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % len(out)
    )


def silence() -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8_000)
        sound.writeframes(bytes(16_000))
    return buffer.getvalue()


@pytest.mark.browser
@pytest.mark.integration
class TestInABrowser:
    def published(self, instance: Any, user: str, parts: list[dict[str, Any]]) -> None:
        instance.publish(
            {"slug": f"of-{user}", "title": "T", "state": [{"name": "said"}], "pages": [{"components": parts}]}
        )

    def test_a_pdf_is_read_page_by_page_and_a_sound_is_ready(self, visitor: Any, instance: Any) -> None:
        sign_in(visitor, instance, "pia")
        files = FileStore(instance.store, instance.data.files)
        owner = Access(instance.store).ensure_user("pia", "operator").id
        pdf = files.put(small_pdf("Invoice 31"), name="a.pdf", owner=owner)
        broken = files.put(b"%PDF-1.4 broken", name="b.pdf", owner=owner)
        sound = files.put(silence(), name="a.wav", owner=owner)
        self.published(instance, "pia", [
            {"id": "pdf", "type": "pdf", "at": {"h": 8}, "properties": {"source": file_url(pdf.id)}},
            {"id": "broken", "type": "pdf", "at": {"y": 8, "h": 4}, "properties": {"source": file_url(broken.id)}},
            {"id": "sound", "type": "audio", "at": {"y": 12}, "properties": {"source": file_url(sound.id)}},
            {"id": "nothing", "type": "video", "at": {"y": 14}, "properties": {"source": "/api/files/no"}},
        ])  # fmt: skip
        page = opened(visitor, instance, "of-pia")
        expect(part(page, "pdf").locator(".text").first).to_have_text("Invoice 31", timeout=PATIENCE)
        expect(part(page, "pdf").locator("output")).to_have_text("1 of 2")
        expect(part(page, "broken").locator(".note")).to_contain_text("no PDF, or it is damaged", timeout=PATIENCE)
        expect(part(page, "nothing").locator(".note")).to_contain_text("can't be played", timeout=PATIENCE)
        player = part(page, "sound").locator("audio")
        page.wait_for_function("(player) => player.duration === 1", arg=player.element_handle(), timeout=PATIENCE)

    def test_marks_by_mouse_and_keyboard(self, visitor: Any, instance: Any) -> None:
        properties = {"source": "/views/examples/flower.jpg", "labels": ["cat", "dog"]}
        count = {"expr": "str(len(components.marks.value)) + ' ' + components.marks.value[0]['label']"}
        self.published(instance, "rui", [
            {"id": "marks", "type": "annotation", "at": {"h": 8}, "properties": properties},
            {"id": "count", "type": "text", "at": {"y": 9}, "bindings": {"text": count}},
        ])  # fmt: skip
        sign_in(visitor, instance, "rui")
        page = opened(visitor, instance, "of-rui")
        sheet = part(page, "marks").locator(".sheet")
        page.wait_for_function("(sheet) => sheet.clientWidth > 50", arg=sheet.element_handle(), timeout=PATIENCE)
        box = sheet.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.2)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.7, steps=4)
        page.mouse.up()
        expect(part(page, "count")).to_have_text("1 cat", timeout=PATIENCE)
        sheet.press("2")
        expect(part(page, "count")).to_have_text("1 dog", timeout=PATIENCE)
        sheet.press("Enter")
        expect(part(page, "count")).to_have_text("2 dog", timeout=PATIENCE)
        sheet.press("Delete")
        expect(part(page, "count")).to_have_text("1 dog", timeout=PATIENCE)

    def test_a_message_and_a_place(self, visitor: Any, instance: Any) -> None:
        def said(part: str) -> list[dict[str, Any]]:
            return [{"do": "set_state", "state": "session.said", "value": {"event": part}}]

        rows = [{"lat": 48.2, "lon": 16.4, "city": "Vienna"}]
        self.published(instance, "sol", [
            {"id": "chat", "type": "chat", "at": {"h": 6}, "actions": {"send": said("text")}},
            {"id": "map", "type": "map", "at": {"y": 6, "h": 6}, "properties": {"rows": rows},
             "actions": {"pick": said("row.city")}},
            {"id": "said", "type": "text", "at": {"y": 13}, "bindings": {"text": {"state": "session.said"}}},
        ])  # fmt: skip
        sign_in(visitor, instance, "sol")
        page = opened(visitor, instance, "of-sol")
        area = part(page, "chat").get_by_role("textbox")
        area.fill("hello <b>")
        area.press("Enter")
        expect(part(page, "said")).to_have_text("hello <b>", timeout=PATIENCE)
        part(page, "map").locator("canvas").click()
        expect(part(page, "said")).to_have_text("Vienna", timeout=PATIENCE)
