"""The models' benchmark: its figures, and that the peer computes what we do."""

from __future__ import annotations

import numpy as np

from benchmarks.models import ROWS, Scale, summary, text
from benchmarks.peers.bento_arrays import Scale as Peer

FIGURES = {
    "arrays": {
        "bentoml serve, JSON": {"seconds": 3.0, "latencies": [100.0] * 20},
        "prefect-worklets, JSON": {"seconds": 0.6, "latencies": [20.0] * 20},
        "prefect-worklets, .npy": {"seconds": 0.3, "latencies": [2.0, 4.0] * 50},
    },
    "deploys": [0.1, 0.2, 0.3],
    "memory": [100.0, 101.0, 104.0],
}


def test_the_figures() -> None:
    found = summary(FIGURES)
    assert found["arrays"] == {
        "bentoml serve, JSON": {"processor_ms": 150.0, "p50_ms": 100.0, "of_bentoml": 1.0},
        "prefect-worklets, JSON": {"processor_ms": 30.0, "p50_ms": 20.0, "of_bentoml": 0.2},
        "prefect-worklets, .npy": {"processor_ms": 3.0, "p50_ms": 3.0, "of_bentoml": 0.02},
    }
    assert (found["deploy_p50_s"], found["host_ratio"]) == (0.2, 1.04)


def test_the_page_has_them() -> None:
    result = {
        "taken_at": "2026-01-01T00:00:00+00:00",
        "settings": {"deploys": 3, "models": 3, "load_before": 0.1},
        "machine": {"cpu": "a processor", "cores": 2},
        "summary": summary(FIGURES),
    }
    page = text(result)
    assert "| prefect-worklets, .npy | 3.0 ms | 0.02 | 3.0 ms |" in page
    assert "| shared host with 3 small models | 104.0 MB |" in page


def test_both_compute_the_same() -> None:
    assert ROWS.size == 100_000
    np.testing.assert_array_equal(Scale().predict(ROWS), Peer.inner().scale(ROWS))
