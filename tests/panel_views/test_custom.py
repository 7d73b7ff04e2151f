"""Components of authors: pushes, the views that are written with them, and what a browser sends, all checked."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
from prefect_worklets.connectors.access import Access
from prefect_worklets.connectors.errors import DefinitionError, WorkletsError
from prefect_worklets.connectors.store import Store
from prefect_worklets.connectors.web import Guard, problem_response
from prefect_worklets.flows.bundle import pack
from prefect_worklets.flows.registry import Registry
from prefect_worklets.panel_views import api
from prefect_worklets.panel_views.cells import Cell
from prefect_worklets.panel_views.components.base import Events
from prefect_worklets.panel_views.components.custom import Custom
from prefect_worklets.panel_views.custom import CustomDefinition, listed, read_definition, script_of
from prefect_worklets.panel_views.document import Component
from prefect_worklets.panel_views.frames import FrameOrigins
from prefect_worklets.panel_views.publishing import publish
from prefect_worklets.panel_views.sources import sources
from pydantic import Field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

import prefect_worklets as pw
from prefect_worklets.parts import take_components, take_views

SCRIPT = "export default ({ root }) => (props) => { root.textContent = props.value }\n"
HOSTILE = "</script><script>window.hit=1</script><img src=x onerror=window.hit=1>"


class Dial(pw.ui.Custom):
    """A dial to turn."""

    esm = SCRIPT
    value: int = Field(3, ge=0, le=9)
    unit: str = "km"
    marks: tuple[int, ...] = (1, 2)
    KEPT: ClassVar[int] = 1


class Broad(Dial):
    data: dict[str, int] | None = None


def pushed(**changes: Any) -> dict[str, Any]:
    return {**(Dial.definition() or {}), **changes}


def view(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    parts = [{"id": "it", "type": "custom", "properties": properties, **more}]
    return {"slug": "dials", "title": "Dials", "pages": [{"components": parts}]}


class TestTheClass:
    def test_its_fields_are_properties_and_its_script_is_read(self) -> None:
        definition = read_definition(Dial.definition())
        assert (definition.name, definition.title, definition.about) == ("dial", "Dial", "A dial to turn.")
        assert definition.defaults == {"value": 3, "unit": "km", "marks": [1, 2]}
        assert definition.script == SCRIPT
        assert list(read_definition(Broad.definition()).own) == ["value", "unit", "marks", "data"]

    def test_on_a_page_it_is_a_component_of_the_view(self) -> None:
        dial = Dial(label="Speed", unit="mph", on_change=pw.ui.refresh("t"))
        shown = pw.ui.Text(pw.ui.expr("dial * 2", dial=dial))
        made = pw.view("dials", [pw.page("Dials", [dial, shown])], tables=[])
        part, text = made.document["pages"][0]["components"]
        assert part["properties"] == {"component": "dial", "label": "Speed", "props": {"unit": "mph"}, "value": 3}
        assert list(part["actions"]) == ["change"]
        assert text["bindings"] == {"text": {"expr": "components.speed.value * 2"}}

    def test_what_is_given_and_is_no_property(self) -> None:
        with pytest.raises(TypeError, match="Dial has no property colour; there is marks, unit, value, label"):
            Dial(colour="red")
        with pytest.raises(TypeError, match="unit can't be bound by itself"):
            Dial(unit=pw.ui.param("unit"))

    def test_every_fault_is_told(self) -> None:
        class Broken(pw.ui.Custom):
            esm = "not_there.js"
            label: str = ""
            unset: int
            value: int = "three"  # type: ignore[assignment]

        with pytest.raises(DefinitionError) as caught:
            Broken.definition()
        said = str(caught.value)
        for part in ("no property can be named 'label'", "unset has no default", "the default of value does not fit",
                     "not_there.js can't be read (No such file or directory)", f"{Path(__file__).name}:"):  # fmt: skip
            assert part in said

    def test_the_base_is_no_component(self) -> None:
        assert pw.ui.Custom.definition() is None


class TestADefinition:
    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"name": "../x"}, "should match pattern"),
            ({"title": "x" * 1_000}, "at most 100 characters"),
            ({"script": ""}, "at least 1 character"),
            ({"script": "x" * 10_000_000}, "at most 500000 characters"),
            ({"script": "window.hit = 1"}, "it has no default export"),
            ({"script": SCRIPT + "\x00"}, "it is no text"),
            ({"properties": {"type": "array"}}, "the schema is not of an object"),
            ({"properties": {"type": "nonsense"}}, "is not valid under any of the given schemas"),
            ({"properties": {"type": "object", "properties": {"a": {"type": "string"}}}}, "it has no default"),
            ({"properties": {"type": "object", "properties": {"label": {"default": 1}}}}, "no property can be named"),
            ({"properties": {"type": "object", "properties": {"a": {"type": "string", "default": 1}}}}, "1 is not of"),
            ({"properties": {"$ref": "http://127.0.0.1:1/schema.json"}}, "a $ref leads out of the schema"),
            ({"properties": {"description": "x" * 10_000_000}}, "the schema has more than"),
            ({"evil": HOSTILE}, "Extra inputs are not permitted"),
        ],
    )
    def test_what_is_refused(self, changes: dict[str, Any], said: str) -> None:
        with pytest.raises(DefinitionError) as caught:
            read_definition(pushed(**changes))
        assert said in str(caught.value)
        assert len(str(caught.value)) < 2_000

    def test_all_faults_come_at_once(self) -> None:
        schema = {"type": "object", "properties": {"a": {}, "label": {"default": ""}}}
        with pytest.raises(DefinitionError) as caught:
            read_definition(pushed(properties=schema, script="let x"))
        assert len(caught.value.faults) == 3


@pytest.fixture
async def client(store: Store) -> AsyncIterator[httpx.AsyncClient]:
    async def tell(request: Request, error: Exception) -> Response:
        assert isinstance(error, WorkletsError)
        return problem_response(error)

    app = Starlette(routes=api.routes(store, Guard(Access(store))), exception_handlers={WorkletsError: tell})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app.test") as opened:
        yield opened


def key(store: Store, role: str) -> dict[str, str]:
    return {"authorization": f"Bearer {Access(store).create_key(role, role)}"}


class TestPushing:
    async def test_it_is_kept_by_version_and_listed(self, client: httpx.AsyncClient, store: Store) -> None:
        builder = key(store, "builder")
        first = await client.post("/api/views/custom", json=pushed(), headers=builder)
        assert first.status_code == 201
        assert first.json()["version"] == 1
        again = await client.post("/api/views/custom", json=pushed(), headers=builder)
        assert again.json() == first.json(), "the same is no new version"
        other = await client.post("/api/views/custom", json=pushed(script=SCRIPT + "// new\n"), headers=builder)
        assert other.json()["version"] == 2
        (known,) = (await client.get("/api/views/custom", headers=key(store, "viewer"))).json()["components"]
        assert (known["name"], known["version"], known["by"]) == ("dial", 2, "builder")
        assert script_of(store, first.json()["hash"]) == SCRIPT, "pages that are open have the script of before"
        assert (await client.delete("/api/views/custom/dial", headers=builder)).status_code == 200
        assert (await client.delete("/api/views/custom/dial", headers=builder)).status_code == 404

    @pytest.mark.parametrize("role", ["viewer", "operator"])
    async def test_only_builders_push(self, client: httpx.AsyncClient, store: Store, role: str) -> None:
        headers = key(store, role)
        assert (await client.post("/api/views/custom", json=pushed(), headers=headers)).status_code == 403
        assert (await client.delete("/api/views/custom/dial", headers=headers)).status_code == 403
        assert (await client.post("/api/views/custom", json=pushed())).status_code == 401

    async def test_10_mb_are_too_much(self, client: httpx.AsyncClient, store: Store) -> None:
        answer = await client.post(
            "/api/views/custom", json=pushed(script="x" * 10_000_000), headers=key(store, "builder")
        )
        assert answer.status_code == 413

    async def test_a_view_is_checked_by_it(self, client: httpx.AsyncClient, store: Store) -> None:
        builder = key(store, "builder")
        bad = view({"component": "dial", "value": 12, "props": {"unit": 3, "colour": "red"}},
                   bindings={"data": {"param": "x"}, "component": {"param": "y"}})  # fmt: skip
        answer = await client.post("/api/views", json=bad, headers=builder)
        assert [tuple(each["loc"][4:]) for each in answer.json()["errors"]] == [
            ("bindings", "component"),
            ("properties", "component"),
        ]
        await client.post("/api/views/custom", json=pushed(), headers=builder)
        answer = await client.post("/api/views", json=bad, headers=builder)
        assert answer.status_code == 400
        assert {tuple(each["loc"][4:]) for each in answer.json()["errors"]} == {
            ("properties", "value"), ("properties", "props", "colour"), ("properties", "props", "unit"),
            ("bindings", "data"), ("bindings", "component"),
        }  # fmt: skip
        good = view({"component": "dial", "value": 9, "props": {"unit": HOSTILE}})
        assert (await client.post("/api/views", json=good, headers=builder)).status_code == 201


class TestInAPage:
    def drawn(self, properties: dict[str, Any], definition: CustomDefinition | None = None) -> tuple[Custom, list[Any]]:
        told: list[Any] = []
        events = Events(lambda *what: told.append(what), lambda *what: told.append(what), lambda *what: None)
        return Custom(Component(id="it", type="custom", properties=properties), events, definition), told

    def test_it_gets_its_properties_with_the_defaults_filled_in(self) -> None:
        made, _ = self.drawn({"component": "dial", "props": {"unit": HOSTILE}}, read_definition(pushed()))
        assert made.props["own"] == {"value": 3, "unit": HOSTILE, "marks": [1, 2]}
        assert made.props["script"] == f"/views/custom/{read_definition(pushed()).hash}.js"

    def test_a_binding_that_does_not_fit_is_said(self) -> None:
        made, _ = self.drawn({"component": "dial"}, read_definition(pushed()))
        made.show_cell("value", Cell("a lot", "ready"))
        assert made.props["fault"] == "Dial can't be drawn with this. value: 'a lot' is not of type 'integer'."
        assert "script" not in made.props
        made.show_cell("value", Cell(5, "ready"))
        assert made.props["own"]["value"] == 5

    def test_one_that_nobody_pushed(self) -> None:
        made, _ = self.drawn({"component": "gone"})
        assert "There is no component 'gone' here" in made.props["fault"]

    def test_what_a_browser_sends_has_to_fit(self) -> None:
        made, told = self.drawn({"component": "dial"}, read_definition(pushed()))
        for value in (10, -1, "3", None, [1], 2.5, {"a": 1}, "x" * 10_000_000, True):
            made._handle_msg({"value": "value", "data": value})
        made._handle_msg({"value": "data", "data": 1})
        made._handle_msg({"value": "props", "data": {"unit": HOSTILE}})
        assert told == []
        made._handle_msg({"value": "value", "data": 7})
        assert told == [("it", "value", 7), ("it", "change", {"value": 7})]

    def test_a_disabled_one_takes_nothing(self) -> None:
        made, told = self.drawn({"component": "dial", "disabled": True}, read_definition(pushed()))
        made._handle_msg({"value": "value", "data": 7})
        assert told == []


def test_a_view_in_the_store_goes_through_json(store: Store) -> None:
    """What Python code writes is what a document says."""
    with pytest.raises(DefinitionError, match="there is no component named 'dial'"):
        publish(store, json.loads(json.dumps(pw.view("dials", [pw.page("D", [Dial()])]).document)))


PROJECT = {
    "dials.py": (
        "import prefect_worklets as pw\n\n\n"
        "class Dial(pw.ui.Custom):\n    esm = 'dial.js'\n    value: int = 3\n"
    ),
    "board.py": (
        "import prefect_worklets as pw\nfrom dials import Dial\n\n"
        "home = pw.view('board', [pw.page('Board', [Dial(label='Speed')])])\n"
    ),
    "dial.js": SCRIPT,
}  # fmt: skip


class TestAProject:
    def push(self, store: Store, folder: Path, **changes: str) -> None:
        source = folder / f"source-{len(list(folder.iterdir()))}"
        source.mkdir()
        for name, text in {**PROJECT, **changes}.items():
            (source / name).write_text(text)
        registry = Registry(
            store, folder / "projects", partial(take_views, FrameOrigins()), take_components=take_components
        )
        registry.push(pack(source), "demo")

    def test_its_components_are_pushed_with_its_views(self, store: Store, tmp_path: Path) -> None:
        self.push(store, tmp_path)
        (first,) = listed(store)
        assert (first["name"], first["version"], first["by"]) == ("dial", 1, "a push")
        self.push(store, tmp_path)
        self.push(store, tmp_path, **{"dial.js": SCRIPT + "// turned\n"})
        assert [each["version"] for each in listed(store)] == [2]
        assert sources(store)["components"] == [{"name": "dial", "title": "Dial"}], "the builder offers it"

    def test_a_fault_of_a_component_undoes_the_push(self, store: Store, tmp_path: Path) -> None:
        with pytest.raises(DefinitionError, match="it has no default export"):
            self.push(store, tmp_path, **{"dial.js": "window.hit = 1"})
        with pytest.raises(DefinitionError, match=r"dials.py:4: its script .*can't be read"):
            self.push(store, tmp_path, **{"dials.py": PROJECT["dials.py"].replace("dial.js", "gone.js")})
        assert listed(store) == []
