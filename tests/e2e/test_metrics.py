"""`/metrics` of a real server, read as Prometheus reads it."""

from __future__ import annotations

import time

import httpx
import numpy as np
import pytest
from prefect_worklets.connectors.images import Image
from prometheus_client.parser import text_string_to_metric_families

pytestmark = pytest.mark.integration


def families(server):
    answer = httpx.get(f"{server.url}/metrics", headers={"authorization": f"Bearer {server.key}"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return {family.name: family for family in text_string_to_metric_families(answer.text)}


def value(found, name, sample=None, **labels):
    family = found.get(name)
    picked = [
        one.value
        for one in (family.samples if family else [])
        if one.name == (sample or name) and labels.items() <= one.labels.items()
    ]
    return sum(picked)


def test_who_may_read_them(server):
    assert httpx.get(f"{server.url}/metrics").status_code == 401


def test_predictions_and_their_failures_are_counted(server):
    headers = {"authorization": f"Bearer {server.key}"}
    address = f"{server.url}/api/models/style-transfer/predict"
    before = families(server)
    picture = Image.from_array(np.full((40, 40, 3), 90, np.uint8)).data_url()
    inputs = {"content": picture, "style": picture, "size": 64}
    assert httpx.post(address, headers=headers, json={"inputs": inputs}, timeout=60).status_code == 200
    assert httpx.post(address, headers=headers, json={"inputs": {**inputs, "size": 1}}, timeout=60).status_code == 400
    after = families(server)

    def grown(*args, **labels):
        return value(after, *args, **labels) - value(before, *args, **labels)

    assert grown("worklets_model_seconds", "worklets_model_seconds_count", model="style-transfer") == 1
    assert grown("worklets_model_seconds", "worklets_model_seconds_sum", model="style-transfer") > 0
    failed = {"model": "style-transfer", "error": "BadInput"}
    assert grown("worklets_model_failures", "worklets_model_failures_total", **failed) == 1
    assert value(after, "worklets_ready") == 1


def test_runs_are_counted_by_their_state(server):
    headers = {"authorization": f"Bearer {server.key}"}
    before = families(server)
    answer = httpx.post(f"{server.url}/api/worklets/stylize/invoke", headers=headers, json={}, timeout=60)
    assert answer.status_code == 400
    after = families(server)
    # A machine that is busy keeps the recorder from telling of itself for a while.
    until = time.monotonic() + 60
    while value(after, "worklets_recorder_up") != 1 and time.monotonic() < until:
        time.sleep(0.5)
        after = families(server)
    assert value(after, "worklets_recorder_up") == 1
    assert value(after, "worklets_journal_dropped", "worklets_journal_dropped_total") == 0
    # Input that does not fit begins no run.
    name = ("worklets_run_seconds", "worklets_run_seconds_count")
    assert value(after, *name, worklet="stylize") == value(before, *name, worklet="stylize")
