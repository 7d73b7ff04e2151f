"""Whether what a model is asked still looks like its reference, feature by feature.

Numbers are compared by the Kolmogorov-Smirnov test, everything else by the chi-squared test, both of scipy. A feature
counts as drifted where the difference is beyond chance (p below 0.01, shared out over the features) and not small.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from .signature import Field, Signature

REFERENCE_FILE = "reference.json"
MOST_ROWS = 2_000
# A sample with fewer rows is an example, not a reference; and fewer asked rows say nothing.
FEWEST_ROWS = 50
FEWEST_ASKED = 30
MOST_FEATURES = 60
SIGNIFICANCE = 0.01
SMALL = 0.1
BINS = 12
_OTHER = "(other)"


class Reference(BaseModel):
    """What the values of a model's features were when it was made, at most 2,000 of each."""

    model_config = ConfigDict(frozen=True)

    features: dict[str, list[Any]]

    @property
    def rows(self) -> int:
        """How many values the longest feature has."""
        return max((len(values) for values in self.features.values()), default=0)


def reference_of(values: Mapping[str, Any], signature: Signature, sensitive: Sequence[str] = ()) -> Reference | None:
    """The reference that parsed values give; None if they have too few rows for one."""
    found = Reference(features=_thinned(features_of(values, signature, sensitive)))
    return found if found.rows >= FEWEST_ROWS else None


def features_of(values: Mapping[str, Any], signature: Signature, sensitive: Sequence[str] = ()) -> dict[str, list[Any]]:
    """The values of each feature: a column of a table or array, a number, the length of a text."""
    found: dict[str, list[Any]] = {}
    for field in signature.inputs:
        if field.name in values and field.name not in sensitive:
            for name, column in _columns(field, values[field.name]).items():
                if name not in sensitive and len(found) < MOST_FEATURES:
                    found[name] = [_scalar(value) for value in column]
    return found


def _columns(field: Field, value: Any) -> dict[str, Sequence[Any]]:
    if field.kind == "table":
        if hasattr(value, "columns"):
            return {str(name): value[name].tolist() for name in value.columns}
        rows = [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []
        return {str(name): [row.get(name) for row in rows] for name in (rows[0] if rows else ())}
    if field.kind == "array":
        try:
            array = np.asarray(value, dtype=object)
        except ValueError:
            return {}
        if array.ndim == 1:
            return {field.name: array.tolist()}
        if array.ndim != 2 or array.shape[1] > MOST_FEATURES:
            return {}
        names = [column.name for column in field.columns or ()]
        if len(names) != array.shape[1]:
            names = [f"{field.name}[{number}]" for number in range(array.shape[1])]
        return {name: array[:, number].tolist() for number, name in enumerate(names)}
    if field.kind == "number":
        return {field.name: list(value) if isinstance(value, list | tuple) else [value]}
    if field.kind == "text":
        texts = value if isinstance(value, list | tuple) else [value]
        return {f"length of {field.name}": [len(text) for text in texts if isinstance(text, str)]}
    return {}


def merged(rows: Sequence[Mapping[str, Any]], signature: Signature, sensitive: Sequence[str]) -> dict[str, list[Any]]:
    """The features of several requests together, at most 2,000 values each."""
    found: dict[str, list[Any]] = {}
    for row in rows:
        for name, values in features_of(row, signature, sensitive).items():
            kept = found.setdefault(name, [])
            kept.extend(values[: MOST_ROWS - len(kept)])
    return found


def compare(reference: Reference, asked: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Each feature of the reference with its distance, p value, whether it drifted, and both histograms as shares."""
    names = [name for name in reference.features if name in asked]
    limit = SIGNIFICANCE / max(1, len(names))
    return [_feature(name, reference.features[name], asked[name], limit) for name in names]


def _feature(name: str, before: Sequence[Any], now: Sequence[Any], limit: float) -> dict[str, Any]:
    before, now = [v for v in before if v is not None], [v for v in now if v is not None]
    shown: dict[str, Any] = {"feature": name, "reference_rows": len(before), "asked_rows": len(now)}
    if len(now) < FEWEST_ASKED or len(before) < FEWEST_ASKED:
        return {**shown, "kind": "unknown", "distance": None, "p": None, "drifted": None, "histogram": None}
    numeric = all(isinstance(v, int | float) and not isinstance(v, bool) for v in [*before, *now])
    distance, p, histogram = _numbers(before, now) if numeric else _categories(before, now)
    drifted = bool(p < limit and distance > SMALL)
    kind = "number" if numeric else "category"
    return {**shown, "kind": kind, "distance": distance, "p": p, "drifted": drifted, "histogram": histogram}


def _numbers(before: Sequence[float], now: Sequence[float]) -> tuple[float, float, dict[str, Any]]:
    from scipy.stats import ks_2samp  # takes a second to import, and most processes compare nothing

    result = ks_2samp(before, now, method="asymp")
    low, high = float(min(*before, *now)), float(max(*before, *now))
    edges = np.linspace(low, high if high > low else low + 1.0, BINS + 1)
    shares = [(np.histogram(values, edges)[0] / len(values)).tolist() for values in (before, now)]
    histogram = {"edges": edges.tolist(), "reference": shares[0], "asked": shares[1]}
    return float(result.statistic), float(result.pvalue), histogram


def _categories(before: Sequence[Any], now: Sequence[Any]) -> tuple[float, float, dict[str, Any]]:
    from scipy.stats import chi2_contingency

    counted = [Counter(str(v)[:60] for v in values) for values in (before, now)]
    common = [label for label, _ in (counted[0] + counted[1]).most_common(BINS)]
    table = [[counts[label] for label in common] + [sum(counts.values()) - sum(counts[each] for each in common)]
             for counts in counted]  # fmt: skip
    labels = [*common, _OTHER]
    kept = [number for number in range(len(labels)) if table[0][number] + table[1][number]]
    labels, table = [labels[n] for n in kept], [[row[n] for n in kept] for row in table]
    shares = [[count / sum(row) for count in row] for row in table]
    distance = sum(abs(a - b) for a, b in zip(*shares, strict=True)) / 2
    p = float(chi2_contingency(table).pvalue) if len(labels) > 1 else 1.0
    return distance, p, {"labels": labels, "reference": shares[0], "asked": shares[1]}


def _thinned(features: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """At most 2,000 values of each, spread over all."""
    return {name: values[:: max(1, math.ceil(len(values) / MOST_ROWS))] for name, values in features.items()}


def _scalar(value: Any) -> Any:
    """A plain number or short text; None for what is missing."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    return None if value != value else str(value)[:60]
