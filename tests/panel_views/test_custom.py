"""Components of authors: pushes, the views that are written with them, and what a browser sends, all checked."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
from prefect_worklets.connectors.access import Access
from prefect_worklets.connectors.errors import DefinitionError, WorkletsError
from prefect_worklets.connectors.store import Store
from prefect_worklets.connectors.tables import ViewState
from prefect_worklets.connectors.web import Guard, problem_response
from prefect_worklets.flows.bundle import pack
from prefect_worklets.flows.registry import Registry
from prefect_worklets.panel_views import api, custom
from prefect_worklets.panel_views.cells import Cell
from prefect_worklets.panel_views.checks import parse
from prefect_worklets.panel_views.components.base import Events
from prefect_worklets.panel_views.components.custom import Custom
from prefect_worklets.panel_views.custom import CustomDefinition, first_values, listed, read_definition, script_of
from prefect_worklets.panel_views.document import Component
from prefect_worklets.panel_views.frames import FrameOrigins
from prefect_worklets.panel_views.publishing import publish
from prefect_worklets.panel_views.runtime import Runtime
from prefect_worklets.panel_views.sources import sources
from pydantic import BaseModel, Field
from sqlmodel import select
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


class Turn(BaseModel):
    by: int = Field(ge=-9, le=9)


class Wheel(pw.ui.Custom):
    """A wheel to turn."""

    esm = SCRIPT
    value: int = Field(3, ge=0, le=9)
    unit: str = "km"
    near: int | None = None
    gives = ("near",)
    fires: ClassVar = {"turned": Turn, "stopped": None, "felt": float}


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
        with pytest.raises(TypeError, match=r"Wheel has no property on_tuned; .* on_felt, on_stopped, on_turned"):
            Wheel(on_tuned=pw.ui.refresh("t"))
        with pytest.raises(TypeError, match="Wheel gives no unit; it gives value, near"):
            Wheel().read("unit")

    def test_its_events_and_further_values_are_declared_and_its_properties_can_be_bound(self) -> None:
        definition = read_definition(Wheel.definition())
        assert list(definition.events) == ["turned", "stopped", "felt"]
        assert definition.readable == ["value", "near"]
        wheel = Wheel(label="W", unit=pw.ui.param("unit").otherwise("m"), on_turned=pw.ui.refresh("t"))
        near = pw.ui.Text(wheel.read("near"))
        part, text = pw.view("wheels", [pw.page("W", [wheel, near])]).document["pages"][0]["components"]
        assert part["properties"]["props"] == {"unit": "m"}
        assert part["bindings"] == {"unit": {"param": "unit"}}
        assert part["actions"] == {"turned": [{"do": "refresh", "table": "t"}]}
        assert text["bindings"] == {"text": {"component": "w", "value": "near"}}

    def test_every_fault_is_told(self) -> None:
        class Broken(pw.ui.Custom):
            esm = "not_there.js"
            gives = ("gone",)
            fires: ClassVar = {"change": int, "odd": Store}
            label: str = ""
            unset: int
            value: int = "three"  # type: ignore[assignment]

        with pytest.raises(DefinitionError) as caught:
            Broken.definition()
        said = str(caught.value)
        for part in ("it gives 'gone', which is no property", "no event can be named 'change'",
                     "what odd brings has no JSON schema", "no property can be named 'label'",
                     "unset has no default", "the default of value does not fit",
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
            ({"events": {"change": {}}}, "events.change: `change` is fired by itself"),
            ({"events": {"no good": {}}}, "no event can be named 'no good'"),
            ({"events": {"a": {"$ref": "http://127.0.0.1:1/x"}}}, "events.a: a $ref leads out of the schema"),
            ({"events": {"a": 3}}, "events.a: it is no JSON schema"),
            ({"events": {"a": {"description": "x" * 10_000_000}}}, "the schema has more than"),
            ({"values": ["unti"]}, "did you mean 'unit'?"),
            ({"values": ["value"]}, "values.0: 'value' is read already"),
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
        viewer = key(store, "viewer")
        whole = (await client.get("/api/views/custom/dial", headers=viewer)).json()
        assert whole == pushed(script=SCRIPT + "// new\n"), "what an export writes down"
        (known,) = (await client.get("/api/views/custom", headers=viewer)).json()["components"]
        assert (known["name"], known["version"], known["by"]) == ("dial", 2, "builder")
        assert script_of(store, first.json()["hash"]) == SCRIPT, "pages that are open have the script of before"
        assert (await client.delete("/api/views/custom/dial", headers=builder)).status_code == 200
        assert (await client.delete("/api/views/custom/dial", headers=builder)).status_code == 404

    def test_one_that_another_push_overtakes_begins_again(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        by = Access(store).ensure_user("ada", "builder")
        custom.push(store, pushed(), by)
        newest, seen = custom._newest, iter([None])  # as it was before the other one was done
        monkeypatch.setattr(custom, "_newest", lambda session, name: next(seen, newest(session, name)))
        with store.session() as session:
            session.add(ViewState(view_slug="s", owner="", key="k", value=1))
            _, number = custom.push_in(session, pushed(script=SCRIPT + "// other\n"), None, "ada")
        assert number == 2
        assert script_of(store, listed(store)[0]["hash"]) == SCRIPT + "// other\n"
        with store.read() as session:
            assert session.exec(select(ViewState.value)).all() == [1], "what the transaction did before is kept"

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
        # What is declared beside these: bindings, events, and who reads which value, wherever it does.
        await client.post("/api/views/custom", json=Wheel.definition(), headers=builder)
        wheel = view({"component": "wheel"}, bindings={"unti": {"param": "x"}, "near": {"param": "x"}},
                     actions={"turnd": [{"do": "refresh", "table": "t"}], "turned": [
                         {"do": "notify", "text": {"expr": "components.it.unit"}, "on_error": [
                             {"do": "copy", "text": {"component": "it", "value": "naer"}}]}]})  # fmt: skip
        answer = await client.post("/api/views", json=wheel, headers=builder)
        assert {(*each["loc"][4:], each["fix"]) for each in answer.json()["errors"]} == {
            ("bindings", "unti", "did you mean 'unit'?"), ("actions", "turnd", "did you mean 'turned'?"),
            ("actions", "turned", 0, "text", "expr", "there is value, near"),
            ("actions", "turned", 0, "on_error", 0, "text", "did you mean 'near'?"),
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

    def test_what_comes_with_an_event_has_to_fit(self) -> None:
        made, told = self.drawn({"component": "wheel"}, read_definition(Wheel.definition()))
        deep: Any = 1
        for _ in range(3_000):
            deep = [deep]
        for event, brought in [
            ("turned", {"by": 10}), ("turned", {"by": "1"}), ("turned", None), ("turned", 1), ("turned", [{"by": 1}]),
            ("turned", {"by": 1, "more": "x" * 10_000_000}), ("turned", {"by": 1, "more": deep}), ("felt", b"1"),
            ("felt", math.nan), ("stopped", 1), ("change", {"value": 7}), ("spun", None), (HOSTILE, None),
            ([], 1), (None, 1),
        ]:  # fmt: skip
            made._handle_msg({"event": event, "data": brought})
        assert told == []
        made._handle_msg({"event": "turned", "data": {"by": 2}})
        made._handle_msg({"event": "stopped"})
        made._handle_msg({"event": "felt", "data": 0.5})
        assert told == [("it", "turned", {"by": 2}), ("it", "stopped", None), ("it", "felt", {"value": 0.5})]
        told.clear()
        made.show_cell("disabled", Cell(True, "ready"))
        made._handle_msg({"event": "stopped"})
        assert told == []

    def test_further_values_and_bound_properties(self) -> None:
        definition = read_definition(Wheel.definition())
        made, told = self.drawn({"component": "wheel", "props": {"unit": "m"}}, definition)
        made.show_cell("unit", Cell("mph", "ready"))
        assert made.props["own"] == {"value": 3, "unit": "mph", "near": None}
        made.show_cell("unit", Cell())
        assert made.props["own"]["unit"] == "m"
        for value in ("4", 4.5, [4], {"a": 4}, "x" * 10_000_000):
            made._handle_msg({"value": "near", "data": value})
        made._handle_msg({"value": "unit", "data": "mile"})
        assert told == []
        made._handle_msg({"value": "near", "data": 4})
        assert told == [("it", "near", 4)], "and no change: that is of the value alone"
        assert made.props["own"]["near"] == 4

    async def test_others_read_them(self) -> None:
        parts = [{"id": "it", "type": "custom", "properties": {"component": "wheel", "props": {"near": 2}}},
                 {"id": "t", "type": "text", "bindings": {"text": {"component": "it", "value": "near"}}}]  # fmt: skip
        document = parse({"slug": "wheels", "title": "W", "pages": [{"components": parts}]})
        first = first_values(document, {"wheel": read_definition(Wheel.definition())})
        assert first == {("it", "value"): 3, ("it", "near"): 2}
        shown: list[Any] = []
        runtime = Runtime(document, None, None, {}, lambda *what: shown.append(what), declared=first)  # type: ignore[arg-type]
        runtime.start()
        runtime.changed("it", "near", 5)
        assert [cell.value for _, _, cell in shown] == [2, 5]

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
        (offered,) = sources(store)["components"]
        assert (offered["name"], list(offered["properties"]["properties"])) == ("dial", ["value"]), "to the builder"

    def test_a_fault_of_a_component_undoes_the_push(self, store: Store, tmp_path: Path) -> None:
        with pytest.raises(DefinitionError, match="it has no default export"):
            self.push(store, tmp_path, **{"dial.js": "window.hit = 1"})
        with pytest.raises(DefinitionError, match=r"dials.py:4: its script .*can't be read"):
            self.push(store, tmp_path, **{"dials.py": PROJECT["dials.py"].replace("dial.js", "gone.js")})
        assert listed(store) == []
