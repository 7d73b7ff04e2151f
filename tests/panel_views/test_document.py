"""The document: what it takes, and every fault with its place."""

from __future__ import annotations

from typing import Any

import pytest
from prefect_worklets.connectors.errors import DefinitionError
from prefect_worklets.panel_views.checks import parse
from prefect_worklets.panel_views.components.kinds import KINDS
from prefect_worklets.panel_views.document import RESERVED_SLUGS, json_schema


def faults(document: Any) -> dict[str, str]:
    """Place -> message (with its fix) of each fault."""
    with pytest.raises(DefinitionError) as caught:
        parse(document)
    return {".".join(map(str, fault.loc)): str(fault) for fault in caught.value.faults}


def component(small: dict[str, Any], id: str) -> dict[str, Any]:
    return next(part for part in small["pages"][0]["components"] if part["id"] == id)


class TestWhatIsRight:
    def test_the_demo_is(self, stylize: dict[str, Any]) -> None:
        document = parse(stylize)
        assert document.slug == "stylize"
        assert {part.type for part in document.components()} <= set(KINDS)

    @pytest.mark.parametrize("which", ["stylize", "small"])
    def test_json_out_and_in_again_is_the_same(self, which: str, request: pytest.FixtureRequest) -> None:
        document = parse(request.getfixturevalue(which))
        assert parse(document.to_json()) == document

    def test_what_is_at_its_default_is_not_written(self, small: dict[str, Any]) -> None:
        assert "theme" not in parse(small).to_json()

    def test_the_schema_is_one_of_json(self) -> None:
        schema = json_schema()
        assert schema["$schema"].startswith("https://json-schema.org/")
        assert "Component" in schema["$defs"]

    @pytest.mark.parametrize("name", sorted(KINDS))
    def test_every_kind_has_a_drawing_and_defaults_that_fit(self, name: str) -> None:
        kind = KINDS[name]
        assert kind.thumbnail.startswith("<svg")
        for prop in kind.names():
            kind.check(prop, kind.default(prop))


class TestShape:
    @pytest.mark.parametrize(
        ("change", "place"),
        [
            ({"version": 2}, "version"),
            ({"slug": "No Slug"}, "slug"),
            ({"slug": "../x"}, "slug"),
            ({"title": ""}, "title"),
            ({"colour": "red"}, "colour"),
            ({"theme": {"accent": "red;}"}}, "theme.accent"),
            ({"pages": []}, "pages"),
            ({"access": {"role": "king"}}, "access.role"),
            ({"state": [{"name": "a b"}]}, "state.0.name"),
        ],
    )
    def test_a_fault_has_its_place(self, small: dict[str, Any], change: dict[str, Any], place: str) -> None:
        assert place in faults({**small, **change})

    @pytest.mark.parametrize("value", [None, [], "x", 3])
    def test_no_document_at_all(self, value: Any) -> None:
        assert faults(value)

    def test_a_binding_of_no_sort_says_which_there_are(self, small: dict[str, Any]) -> None:
        component(small, "shown")["bindings"]["text"] = {"stat": "x"}
        assert "state, component, table" in faults(small)["pages.0.components.2.bindings.text"]

    def test_the_place_has_no_name_of_a_union_in_it(self, small: dict[str, Any]) -> None:
        component(small, "shown")["bindings"]["text"] = {"table": "t", "limit": 0}
        component(small, "go")["actions"]["click"][1] = {"do": "refresh", "table": ""}
        assert set(faults(small)) == {
            "pages.0.components.2.bindings.text.limit",
            "pages.0.components.1.actions.click.1.table",
        }


class TestMeaning:
    def test_all_are_told_at_once(self, small: dict[str, Any]) -> None:
        component(small, "amount")["type"] = "slidr"
        component(small, "shown")["bindings"]["text"] = {"state": "session.reslt"}
        component(small, "half")["bindings"]["tekst"] = {"constant": 1}
        component(small, "go")["actions"]["press"] = [{"do": "refresh", "table": "doubled"}]
        found = faults(small)
        assert "did you mean 'slider'?" in found["pages.0.components.0.type"]
        assert "did you mean 'session.result'?" in found["pages.0.components.2.bindings.text.state"]
        assert "did you mean 'text'?" in found["pages.0.components.3.bindings.tekst"]
        assert "there is click" in found["pages.0.components.1.actions.press"]

    def test_an_id_given_twice_is_told_at_both(self, small: dict[str, Any]) -> None:
        component(small, "half")["id"] = "shown"
        assert {"pages.0.components.2.id", "pages.0.components.3.id"} <= set(faults(small))

    def test_a_state_declared_twice(self, small: dict[str, Any]) -> None:
        small["state"].append({"name": "result"})
        assert {"state.0.name", "state.2.name"} <= set(faults(small))

    @pytest.mark.parametrize("slug", sorted(RESERVED_SLUGS))
    def test_a_slug_of_the_server_s_own(self, small: dict[str, Any], slug: str) -> None:
        assert "is taken" in faults({**small, "slug": slug})["slug"]

    @pytest.mark.parametrize(
        ("properties", "place"),
        [
            ({"min": "low"}, "properties.min"),
            ({"step": 0}, "properties.step"),
            ({"lable": "x"}, "properties.lable"),
        ],
    )
    def test_properties(self, small: dict[str, Any], properties: dict[str, Any], place: str) -> None:
        component(small, "amount")["properties"] = properties
        assert f"pages.0.components.0.{place}" in faults(small)

    @pytest.mark.parametrize("source", ["javascript:alert(1)", "//elsewhere/x.png", "data:text/html,x", "ftp://x/y"])
    def test_an_address_that_could_run_or_lead_away_is_no_image(self, small: dict[str, Any], source: str) -> None:
        small["pages"][0]["components"].append({"id": "pic", "type": "image", "properties": {"source": source}})
        assert "pages.0.components.7.properties.source" in faults(small)

    def test_a_component_must_stay_on_the_grid(self, small: dict[str, Any]) -> None:
        component(small, "go")["at"] = {"x": 8, "y": 0, "w": 6, "h": 1}
        assert "column 14" in faults(small)["pages.0.components.1.at"]

    @pytest.mark.parametrize(
        ("binding", "said"),
        [
            ({"component": "amont"}, "did you mean 'amount'?"),
            ({"component": "amount", "value": "valu"}, "did you mean 'value'?"),
            ({"component": "go"}, "there is none"),
            ({"expr": "components.amount"}, "components.ID.VALUE"),
            ({"expr": "session.nothing"}, "no declared state"),
            ({"expr": "user.password"}, "can't be read"),
            ({"expr": "__import__('os')"}, "calls something else"),
            ({"expr": "1 +"}, "is not an expression"),
            ({"event": "value"}, "in actions only"),
        ],
    )
    def test_bindings(self, small: dict[str, Any], binding: dict[str, Any], said: str) -> None:
        component(small, "shown")["bindings"]["text"] = binding
        assert any(said in text for text in faults(small).values())

    def test_an_action_reads_no_table(self, small: dict[str, Any]) -> None:
        component(small, "go")["actions"]["click"][0]["input"]["amount"] = {"table": "doubled"}
        assert "pages.0.components.1.actions.click.0.input.amount" in faults(small)

    @pytest.mark.parametrize(
        ("parent", "said"),
        [
            ("nowhere", "no component on page"),
            ("amount", "holds no others"),
            ("round", "stands inside itself"),
            ("deep4", "5 containers deep; at most 4"),
        ],
    )
    def test_parents(self, small: dict[str, Any], parent: str, said: str) -> None:
        parts = small["pages"][0]["components"]
        parts += [{"id": f"deep{n}", "type": "card", **({"parent": f"deep{n - 1}"} if n else {})} for n in range(5)]
        parts += [{"id": "round", "type": "card", "parent": "who"}] if parent == "round" else []
        component(small, "who")["type"] = "card" if parent == "round" else "text"
        component(small, "who")["bindings"] = {}
        component(small, "who")["parent"] = parent
        assert said in faults(small)["pages.0.components.6.parent"]

    def test_bindings_in_a_circle_are_shown_as_one(self, small: dict[str, Any]) -> None:
        parts = small["pages"][0]["components"]
        for one, other in (("a", "b"), ("b", "c"), ("c", "a")):
            parts.append({"id": one, "type": "number", "bindings": {"value": {"expr": f"components.{other}.value"}}})
        (text,) = faults(small).values()
        assert "circle" in text
        assert all(f"{id}.value" in text for id in "abc")
