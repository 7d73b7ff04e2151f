"""Views from what there is: every worklet and table gives a document that passes the check."""

from __future__ import annotations

from typing import Any

import pytest
from prefect_worklets.connectors.access import Principal, Role
from prefect_worklets.connectors.errors import BadInput, DefinitionError, NotFound
from prefect_worklets.connectors.store import Store
from prefect_worklets.connectors.tables import Project, TableRow, Worklet, WorkletVersion
from prefect_worklets.panel_views.checks import parse
from prefect_worklets.panel_views.drafts import Drafts
from prefect_worklets.panel_views.operations import read_operations
from prefect_worklets.panel_views.pieces import table_operations, worklet_operations
from prefect_worklets.panel_views.publishing import publish, published
from prefect_worklets.panel_views.sources import sources
from prefect_worklets.panel_views.templates import TEMPLATES, new_document, slug_of
from pydantic import BaseModel, Field

import prefect_worklets as pw

ADA = Principal("u1", "Ada", Role.builder)
IMAGE = {"type": "string", "format": "image"}
STYLIZE = {
    "input_schema": {
        "$defs": {"Size": {"type": "integer", "minimum": 128, "maximum": 768, "default": 384}},
        "type": "object",
        "properties": {"content": IMAGE, "style": IMAGE, "size": {"$ref": "#/$defs/Size"}},
        "required": ["content", "style"],
    },
    "output_schema": {
        "type": "object",
        "properties": {"seconds": {"type": "number"}, "image": IMAGE},
        "required": ["image"],
    },
    "nodes": [{"id": "save", "kind": "save", "settings": {"table": "stylized"}}],
}
ODD = {
    "input_schema": {
        "type": "object",
        "properties": {
            "2 many": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "kind": {"enum": ["a", 1, None]},
            "yes": {"type": "boolean", "default": True},
            "deep": {"type": "object", "properties": {"x": {"type": "number"}}},
            "n": {"type": "number", "minimum": 0, "maximum": 1, "default": "not a number"},
            "loop": {"$ref": "#/properties/loop"},
            "long": {"type": "string", "maxLength": 5000, "description": "x" * 900},
        },
    },
    "output_schema": {"type": "array", "items": {"type": "object"}},
    "nodes": [],
}


@pytest.fixture
def filled(store: Store) -> Store:
    with store.session() as session:
        session.add(Project(content_hash="h", name="p"))
        for name, graph in (("stylize", STYLIZE), ("odd", ODD), ("bare", {})):
            session.add(Worklet(name=name, live_version=1, description=f"The {name} one."))
            session.flush()
            session.add(WorkletVersion(worklet_name=name, number=1, project_hash="h", graph=graph))
        session.add(TableRow(table_name="notes", run_id="r", node="n", data={"text": "x", "score": 1}))
    return store


def test_what_there_is(filled: Store) -> None:
    found = sources(filled)
    stylize = next(one for one in found["worklets"] if one["name"] == "stylize")
    assert [(one["name"], one["required"]) for one in stylize["input"]] == [
        ("content", True),
        ("style", True),
        ("size", False),
    ]
    assert stylize["input"][2]["schema"]["maximum"] == 768
    assert [(one["name"], one["rows"], one["columns"]) for one in found["tables"]] == [
        ("notes", 1, ["text", "score"]),
        ("stylized", 0, []),
    ]
    pages = [{"params": [{"name": "number"}]}, {"id": "more", "title": "More"}]
    publish(filled, {"slug": "shop", "title": "Shop", "pages": pages})
    assert sources(filled)["views"] == [
        {
            "slug": "shop",
            "title": "Shop",
            "pages": [
                {"id": "main", "title": "", "params": [{"name": "number"}]},
                {"id": "more", "title": "More", "params": []},
            ],
        }
    ]


@pytest.mark.parametrize("worklet", ["stylize", "odd", "bare"])
def test_every_worklet_gives_a_view(filled: Store, worklet: str) -> None:
    document = parse(new_document(filled, f"My {worklet}", worklet=worklet))
    assert document.slug == f"my-{worklet}"
    button = document.component(f"run_{worklet}")
    assert button is not None
    assert button.actions["click"][0].worklet == worklet  # type: ignore[union-attr]


def test_the_view_of_pictures(filled: Store) -> None:
    document = parse(new_document(filled, "Paint", worklet="stylize"))
    kinds = {part.id: part.type for part in document.components()}
    assert kinds["content"] == kinds["style"] == "image_input"
    assert (kinds["size"], kinds["image_shown"], kinds["stylized_rows"]) == ("slider", "image", "gallery")
    size = document.component("size")
    assert size is not None
    assert size.properties == {"label": "Size", "value": 384, "min": 128, "max": 768, "step": 1}


@pytest.mark.parametrize("template", sorted(set(TEMPLATES) - {"review-inbox"}))
def test_every_template_gives_a_view(filled: Store, template: str) -> None:
    parse(new_document(filled, "New", template=template, worklet="" if template != "try-a-model" else "stylize",
                       table="notes" if template.startswith("table") else ""))  # fmt: skip


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"template": "nope"}, "no template 'nope'"),
        ({"template": "try-a-model"}, "say which one"),
        ({"template": "table"}, "say which one"),
        ({"template": "review-inbox"}, "say which one"),
        ({"template": "review-inbox", "worklet": "stylize"}, "its graph has no review"),
    ],
)
def test_what_a_template_needs(filled: Store, options: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        new_document(filled, "New", **options)
    with pytest.raises(NotFound, match="nope"):
        new_document(filled, "New", worklet="nope")


def test_pieces_fit_into_a_view_that_has_the_same_already(filled: Store) -> None:
    drafts = Drafts(filled)
    drafts.create(new_document(filled, "Paint", worklet="stylize"), ADA)
    document = drafts.read("paint").document
    operations = worklet_operations(filled, document, "main", "stylize", 20)
    operations += table_operations(filled, document, "main", "notes", 40)
    made = drafts.change("paint", 1, read_operations(operations), ADA)
    assert made.draft.document.component("content2") is not None
    assert [state.key for state in made.draft.document.state] == ["user.stylize_result", "user.stylize_result2"]


def test_a_table_shows_what_its_rows_hold(filled: Store) -> None:
    rows = parse(new_document(filled, "Notes", template="table", table="notes")).component("notes_rows")
    assert rows is not None
    names = [column["name"] for column in rows.properties["columns"]]  # type: ignore[union-attr, index]
    assert (rows.type, names) == ("table", ["data.text", "data.score", "created_at"])


def test_a_draft_has_a_page_for_builders(filled: Store) -> None:
    drafts = Drafts(filled)
    drafts.create(new_document(filled, "All", template="dashboard"), ADA)
    seen = published(filled, "~all")
    assert (seen.slug, seen.access.role) == ("~all", "builder")
    assert (seen.page_at("stylize").id, seen.page_at("nope").id) == ("stylize", "main")
    for missing in ("~nope", "all", "~", "~~"):
        with pytest.raises(NotFound):
            published(filled, missing)


@pytest.mark.parametrize(("title", "slug"), [("My  View!", "my-view"), ("Ünter 3", "nter-3"), ("a" * 90, "a" * 60)])
def test_addresses_from_titles(title: str, slug: str) -> None:
    assert slug_of(title) == slug
    with pytest.raises(BadInput, match="no letter"):
        slug_of("¿?")


class TestViewFor:
    def test_a_worklet_s_view_without_a_server(self):
        document = pw.view_for(estimate_price)
        assert (document["slug"], document["title"]) == ("estimate-price", "Estimate price")
        assert document["description"] == "What a house is worth."
        parts = {part["id"]: part for part in document["pages"][0]["components"]}
        assert (parts["rooms"]["type"], parts["garden"]["type"]) == ("slider", "checkbox")
        action = parts["run_estimate_price"]["actions"]["click"][0]
        assert action["input"] == {name: {"component": name} for name in ("rooms", "street", "garden")}
        assert any(part["type"] == "table" for part in parts.values())  # what it saved
        named = pw.view_for(estimate_price, slug="houses", title="Houses")
        assert (named["slug"], named["title"]) == ("houses", "Houses")

    def test_a_bad_address_is_refused(self):
        with pytest.raises(DefinitionError, match="slug"):
            pw.view_for(estimate_price, slug="No Good")


class House(BaseModel):
    rooms: int = Field(ge=1, le=9)
    street: str
    garden: bool = False


class Price(BaseModel):
    amount: float
    street: str


@pw.node
def valued(house: House) -> Price:
    return Price(amount=100_000.0 * house.rooms, street=house.street)


@pw.worklet
def estimate_price(house: House) -> Price:
    """What a house is worth.

    More is not known.
    """
    return pw.save("prices")(valued(house))
