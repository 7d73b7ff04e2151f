"""A view with every component on it, as people would use it: for the tests, and for the documentation's pictures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

CODE = '''@pw.worklet(triggers=[pw.cron("0 6 * * *")])
def classify(sepal: list[float], petal: list[float]) -> dict[str, str]:
    """Name the species of an iris."""
    return species(pw.model("iris")(features(sepal, petal)))  # 0.4 ms
'''
SPECIES = ["setosa", "versicolor", "virginica"]
COUNTRIES = ["Austria", "Belgium", "Denmark", "Finland", "France", "Germany", "Italy", "Norway", "Spain", "Sweden"]
WORDS = """### What it does

Names the *species* of an iris.

- sepal and petal in cm
- `0.4 ms` a call

> Trained on 150 flowers."""
RUN = {"id": "r-1041", "state": "done", "seconds": 0.41, "cached": False, "error": None, "tags": ["nightly", "iris"],
       "output": {"species": "setosa", "probability": 0.98}}  # fmt: skip

FLOWERS = [
    {"id": 100 + n, "species": SPECIES[n % 3], "petal": round(1.4 + n % 3 * 1.9 + (n * 37 % 11) / 10, 1),
     "sepal": round(5 + n % 3 * 0.7 + (n * 53 % 13) / 10, 1), "p": round(0.7 + n * 29 % 30 / 100, 2),
     "ok": n % 5 != 0, "seen": f"2024-03-{1 + n % 28:02}T{n % 24:02}:30:00"}
    for n in range(60)
]  # fmt: skip
LATENCY = [
    {"hour": f"{n:02}:00", "ours": 0.38 + (n * 7 % 10) / 100, "plain": 0.9 + (n * 11 % 17) / 100} for n in range(24)
]
CONFUSION = [
    {"truth": truth, "said": said, "n": 47 + 3 * (truth == "setosa") if truth == said else abs(len(truth) - len(said))}
    for truth in SPECIES
    for said in SPECIES
]

CITIES = [
    {"city": "Vienna", "lat": 48.2, "lon": 16.4, "state": "fresh"},
    {"city": "Lisbon", "lat": 38.7, "lon": -9.1, "state": "late"},
    {"city": "Oslo", "lat": 59.9, "lon": 10.7, "state": "fresh"},
    {"city": "Athens", "lat": 38.0, "lon": 23.7, "state": "fresh"},
]  # fmt: skip
TALK = [
    {"role": "system", "text": "Today"},
    {"role": "user", "text": "Which flower is it, with petals of 1.4 by 0.2 cm?"},
    {"role": "assistant", "name": "iris", "text": "A **setosa**, with a probability of 0.98."},
]
LINES = [
    "06:00:00 INFO  run r-1041 begins",
    "06:00:00 DEBUG 150 rows read",
    "06:00:01 WARNING 2 rows have no petal",
    "06:00:01 ERROR row 97: 'a lot' is no number",
    "06:00:02 INFO  run r-1041 is done",
]

# A card for each part of the palette: (type, width, height, properties).
CARDS: dict[str, list[tuple[str, int, int, dict[str, Any]]]] = {
    "Form and tabs": [
        ("form", 6, 7, {"title": "New reviewer", "description": "They get a link by e-mail.", "style": "plain",
                        "submit_label": "Invite", "reset_label": "Start over", "inside": [
                            ("text_input", 6, 2, {"label": "Name", "required": True}),
                            ("dropdown", 6, 2, {"label": "Role", "options": ["viewer", "operator"]}),
                            ("text_area", 12, 3, {"label": "A word to them", "rows": 2}),
                        ]}),
        ("tabs", 6, 7, {"label": "Run", "inside": [
            ("json", 12, 5, {"label": "Output", "value": RUN["output"]}),
            ("code", 12, 5, {"label": "Query", "language": "sql",
                             "text": "select species, count(*)\nfrom flowers\nwhere p > 0.9\ngroup by species"}),
            ("markdown", 12, 2, {"text": "Nothing was cached."}),
        ]}),
    ],
    "Pictures and places": [
        ("annotation", 6, 8, {"label": "Mark the flowers", "labels": ["flower", "leaf"],
                              "tools": ["box", "point", "label"], "source": "/views/examples/flower.jpg", "value": [
                                  {"kind": "box", "label": "flower", "x": 0.3, "y": 0.25, "w": 0.35, "h": 0.5},
                                  {"kind": "point", "label": "leaf", "x": 0.8, "y": 0.7}]}),
        ("map", 6, 8, {"label": "Stations", "rows": CITIES, "text": "city", "color": "state"}),
        ("pdf", 6, 8, {"label": "Invoice"}),
        ("image", 6, 8, {"source": "/views/examples/temple.jpg", "alt": "A temple", "caption": "Content"}),
        ("audio", 6, 2, {"label": "Recording"}),
        ("video", 6, 4, {"label": "Film"}),
        ("gallery", 12, 4, {"image": "url", "items": [{"url": f"/views/examples/{name}.jpg"} for name in
                                                      ("waves", "mosaic", "strokes", "flower")]}),
    ],
    "Talk and log": [
        ("chat", 6, 7, {"label": "Ask the model", "messages": TALK}),
        ("log", 6, 7, {"label": "Run r-1041", "lines": LINES}),
    ],
    "Table": [
        ("table", 12, 8, {"label": "Flowers", "help": "Double-click a probability to correct it.", "rows": FLOWERS,
                          "choose": "many", "page_size": 6, "filters": True, "columns": [
                              {"name": "id", "title": "No."}, {"name": "species", "title": "Species"},
                              {"name": "petal", "title": "Petal, cm", "decimals": 1},
                              {"name": "p", "title": "Probability", "format": "percent", "editable": True},
                              {"name": "ok", "title": "Checked"}, {"name": "seen", "title": "Seen"}]}),
        ("table", 12, 3, {"label": "Reviews", "rows": [], "empty": "Nothing waits for you"}),
    ],
    "Charts": [
        ("chart", 6, 5, {"label": "Latency, ms", "rows": LATENCY, "x": "hour", "y": ["ours", "plain"]}),
        ("chart", 6, 5, {"label": "Petals and sepals", "rows": FLOWERS, "kind": "scatter", "x": "sepal", "y": ["petal"],
                         "color": "species", "x_title": "sepal, cm", "y_title": "petal, cm"}),
        ("chart", 6, 5, {"label": "How sure", "rows": FLOWERS, "kind": "histogram", "x": "p"}),
        ("chart", 6, 5, {"label": "What was said", "rows": CONFUSION, "kind": "heatmap", "x": "said", "y": ["truth"],
                         "value": "n"}),
        ("chart", 6, 5, {"label": "By hour", "rows": LATENCY[:8], "kind": "bar", "x": "hour", "y": ["ours", "plain"]}),
        ("chart", 6, 5, {"label": "Load", "rows": LATENCY, "kind": "area", "x": "hour", "y": ["plain"],
                         "stacked": True}),
    ],
    "Fields": [
        ("text_input", 6, 2, {"label": "Name", "placeholder": "Ada Lovelace", "required": True}),
        ("text_input", 6, 2, {"label": "E-mail", "mode": "email", "value": "ada@example", "help": "For the report.",
                              "error": "Enter an e-mail address, such as ada@example.org."}),
        ("text_area", 12, 3, {"label": "Notes", "placeholder": "What should the next one know?", "max_length": 500}),
        ("number", 4, 2, {"label": "Learning rate", "value": 0.01, "step": 0.001, "min": 0, "max": 1}),
        ("slider", 4, 2, {"label": "Width", "value": 384, "min": 128, "max": 1024, "step": 64, "unit": "px"}),
        ("date", 4, 2, {"label": "From", "value": "2024-02-29"}),
        ("dropdown", 4, 2, {"label": "Model", "value": 2,
                            "options": [{"value": 1, "label": "iris@1"}, {"value": 2, "label": "iris@2"}]}),
        ("date", 4, 2, {"label": "At", "mode": "time", "value": "06:00"}),
        ("dropdown", 4, 2, {"label": "Region", "options": ["EU"], "disabled": True, "help": "Set by your team."}),
    ],
    "Choices and files": [
        ("multi_select", 6, 5, {"label": "Countries", "options": COUNTRIES, "value": ["Denmark", "Norway"]}),
        ("file_input", 6, 5, {"label": "Documents", "accept": ["application/pdf", "image/*"], "max_bytes": 5_000_000,
                              "value": [{"url": "/api/files/1", "name": "invoice 2024-031.pdf", "size": 184_211}]}),
        ("radio", 6, 3, {"label": "Species", "options": SPECIES, "value": "setosa"}),
        ("radio", 6, 3, {"label": "Range", "style": "buttons", "options": ["Day", "Week", "Month"], "value": "Week"}),
        ("checkbox", 6, 1, {"label": "Send me the result", "value": True}),
        ("checkbox", 6, 1, {"label": "Retrain every night", "style": "switch", "value": True}),
        ("button", 6, 1, {"label": "Start"}),
        ("button", 6, 1, {"label": "Compare", "style": "secondary"}),
        ("camera_input", 12, 5, {"label": "Photograph"}),
    ],
    "Numbers and text": [
        ("metric", 4, 3, {"label": "Accuracy", "value": 97.3, "unit": "%", "decimals": 1, "change": 1.2,
                          "trend": [91, 92, 92, 94, 93, 95, 96, 96, 97.3]}),
        ("metric", 4, 3, {"label": "Latency, p50", "value": 0.41, "unit": "ms", "change": 8, "good": "down",
                          "trend": [0.36, 0.37, 0.35, 0.38, 0.4, 0.39, 0.41]}),
        ("metric", 4, 3, {"label": "Runs today", "value": 18_204, "change": 0}),
        ("divider", 12, 1, {"label": "Details"}),
        ("code", 12, 4, {"label": "classify.py", "text": CODE, "language": "python", "line_numbers": True}),
        ("json", 6, 5, {"label": "Run", "value": RUN}),
        ("markdown", 6, 5, {"text": WORDS}),
        ("alert", 12, 1, {"text": "The new version is live.", "style": "success"}),
        ("progress", 12, 1, {"label": "Training", "active": True, "expected_seconds": 60}),
    ],
}  # fmt: skip


def showcase(mode: str = "light", cards: dict[str, Any] | None = None) -> dict[str, Any]:
    """The document. Its components have ids such as `text_input_1`."""
    components: list[dict[str, Any]] = []
    top = 0
    for title, parts in (cards or CARDS).items():
        inside = list(_placed(parts))
        height = max(part["at"]["y"] + part["at"]["h"] for part in inside) + 2
        card = {"type": "card", "at": {"x": 0, "y": top, "w": 12, "h": height}, "properties": {"title": title}}
        _add(components, card, None, inside)
        top += height
    theme = {"mode": mode}
    return {"slug": f"showcase-{mode}", "title": "Components", "theme": theme, "pages": [{"components": components}]}


def _add(components: list[dict[str, Any]], part: dict[str, Any], parent: str | None, inside: list[Any]) -> None:
    count = sum(other["type"] == part["type"] for other in components) + 1
    id = f"{part['type']}_{count}"
    components.append({"id": id, **part, **({"parent": parent} if parent else {})})
    for one in inside:
        held = one["properties"].get("inside", [])
        plain = {**one, "properties": {name: value for name, value in one["properties"].items() if name != "inside"}}
        _add(components, plain, id, list(_placed(held)))


def _placed(parts: list[tuple[str, int, int, dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    x = y = row = 0
    for type, width, height, properties in parts:
        if x + width > 12:
            x, y, row = 0, y + row, 0
        yield {"type": type, "at": {"x": x, "y": y, "w": width, "h": height}, "properties": properties}
        x, row = x + width, max(row, height)
