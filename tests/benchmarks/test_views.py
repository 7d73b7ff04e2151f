"""The pages' benchmark: its figures, and that its three apps are the same app."""

from __future__ import annotations

import pytest
from prefect_worklets.panel_views.checks import parse

from benchmarks.view_project import VIEW
from benchmarks.view_subjects import PEERS
from benchmarks.views import Figures, summary, text


def test_the_figures() -> None:
    figures = Figures([10.0, 20.0, 30.0], [5.0, 7.0], [50.0, 70.0], 100.0, 125.0)
    assert summary({"worklets": figures}, 100)["worklets"] == {
        "latency_p50_ms": 20.0,
        "latency_p95_ms": pytest.approx(29.0),
        "first_paint_ms": 6.0,
        "usable_ms": 60.0,
        "memory_mb": 100.0,
        "memory_per_session_mb": 0.25,
    }


def test_the_page_names_the_versions() -> None:
    result = {
        "taken_at": "2026-01-01T00:00:00+00:00",
        "settings": {"sessions": 100, "rounds": 3, "load_before": 0.1},
        "machine": {"cpu": "a processor", "cores": 2},
        "peers": {"gradio": "6.0"},
        "summary": summary({"gradio": Figures([1.0], [2.0], [3.0], 4.0, 5.0)}, 100),
    }
    page = text(result)
    assert "| Gradio 6.0 | 1.0 ms | 1.0 ms | 2.0 ms | 3.0 ms | 4.0 MB | 0.01 MB |" in page
    assert "100 sessions held open, 3 rounds; a processor, 2 cores" in page


def test_the_apps_are_alike() -> None:
    assert parse(VIEW).title == "Count"
    for name in ("gradio_app.py", "streamlit_app.py"):
        app = (PEERS / name).read_text()
        assert "Answer {" in app
        assert '"Ask"' in app
        compile(app, name, "exec")
