"""Sleep stages: from the features of 30 seconds of EEG, one row each, to the stage of sleep.

This file is copied into the model's package, so it stands alone: no import of the rest of prefect-worklets.

The trees are YASA's (Vallat and Walker, "An open-source, high-performance tool for automated sleep staging", eLife
2021), which also says how the features are made from a recording.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

STAGES = ("N1", "N2", "N3", "R", "W")


class SleepStages:
    """`load(folder)` opens `booster.txt`; `predict` scores rows."""

    def load(self, folder: Path) -> None:
        """Open the trees."""
        import lightgbm

        self._booster = lightgbm.Booster(model_file=str(folder / "booster.txt"))

    def predict(self, rows: Any) -> list[dict[str, Any]]:
        """The stage of each row.

        Args:
            rows: a table with the features as columns.

        Returns:
            A row each: `stage` (N1, N2, N3, R for REM, W for awake) and the `probability` of every stage.
        """
        shares = self._booster.predict(rows[self._booster.feature_name()].to_numpy(np.float64))
        return [
            {
                "stage": STAGES[int(np.argmax(row))],
                "probability": {stage: round(float(share), 4) for stage, share in zip(STAGES, row, strict=True)},
            }
            for row in shares
        ]

    def sample(self) -> list[dict[str, float]]:
        """Two half minutes: deep sleep, an hour and a half into the night, and awake at its beginning."""
        return [_row(_DEEP, 1.2, hour=1.5, share=0.2), _row(_AWAKE, -1.2, hour=0.1, share=0.01)]


def _row(values: dict[str, float], slowness: float, *, hour: float, share: float) -> dict[str, float]:
    row: dict[str, float] = {}
    for base, value in values.items():
        relative = slowness if base in _SLOW else -slowness if base in _FAST else 0.0
        row |= {f"eeg_{base}": value, f"eeg_{base}_c7min_norm": relative, f"eeg_{base}_p2min_norm": relative}
    return row | {"time_hour": hour, "time_norm": share}


_SLOW = frozenset({"abspow", "db", "ds", "dt", "sdelta", "std", "iqr"})
_FAST = frozenset({"alpha", "beta", "at", "higuchi", "hmob", "nzc", "perm", "petrosian", "sigma"})
_DEEP = {
    "abspow": 1500.0, "alpha": 0.03, "at": 0.4, "beta": 0.008, "db": 110.0, "ds": 60.0, "dt": 9.0, "fdelta": 0.35,
    "hcomp": 2.5, "higuchi": 1.15, "hmob": 0.12, "iqr": 60.0, "kurt": 0.1, "nzc": 250.0, "perm": 0.72,
    "petrosian": 1.008, "sdelta": 0.5, "sigma": 0.015, "skew": 0.0, "std": 45.0, "theta": 0.09,
}  # fmt: skip
_AWAKE = {
    "abspow": 150.0, "alpha": 0.22, "at": 1.6, "beta": 0.2, "db": 1.7, "ds": 5.0, "dt": 2.5, "fdelta": 0.14,
    "hcomp": 3.0, "higuchi": 1.75, "hmob": 0.5, "iqr": 14.0, "kurt": 0.5, "nzc": 1100.0, "perm": 0.985,
    "petrosian": 1.03, "sdelta": 0.2, "sigma": 0.07, "skew": 0.0, "std": 12.0, "theta": 0.13,
}  # fmt: skip
FEATURES = tuple(_row(_DEEP, 1.0, hour=0.0, share=0.0))
