"""The zoo's models of recordings and tables: speech activity, sleep stages."""

from __future__ import annotations

import pickletools
import zlib
from pathlib import Path

from ...connectors.errors import SetupError
from ..signature import Column, Field, Signature
from . import sleep_stages, speech_activity
from .entry import ZooEntry
from .weights import WheelFile

SPEECH_ACTIVITY = ZooEntry(
    name="speech-activity",
    title="Speech activity",
    task="audio",
    description="Finds when in a recording somebody speaks. About a hundredth of the recording's length on a CPU.",
    credit="Network: Silero VAD 6.2.3 by the Silero team, MIT.",
    module=speech_activity,
    attribute="SpeechActivity",
    files={
        "silero_vad.onnx": WheelFile(
            "silero-vad",
            "6.2.3",
            "silero_vad/data/silero_vad.onnx",
            "1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3",
        )
    },
    signature=Signature(
        inputs=(
            Field(name="audio", kind="array", dtype="float32", shape=(None,), description="One channel, -1 to 1."),
            Field(
                name="rate", kind="number", dtype="int", required=False, default=speech_activity.RATE, minimum=4000,
                maximum=192_000, description="Samples a second.",
            ),
            Field(
                name="threshold", kind="number", dtype="float", required=False, default=0.5, minimum=0.0, maximum=1.0,
                description="How sure the network must be.",
            ),
        ),
        outputs=(Field(name="output", kind="json"),),
    ),
)  # fmt: skip


def _trees_of(source: Path, target: Path) -> None:
    """The text of the trees out of the pickle that holds it. Nothing is unpickled: its strings are looked through."""
    for _, argument, _ in pickletools.genops(zlib.decompress(source.read_bytes())):
        if isinstance(argument, str) and argument.startswith("tree\n"):
            target.write_text(argument)
            return
    raise SetupError(f"{source.name} of yasa holds no trees; deploy sleep-stages with the version that the zoo names.")


SLEEP_STAGES = ZooEntry(
    name="sleep-stages",
    title="Sleep stages",
    task="table",
    description="Scores half minutes of sleep (N1, N2, N3, REM, awake) from 65 features of one EEG channel.",
    credit="Trees: YASA 0.8.1 by Raphael Vallat (Vallat and Walker, 2021), BSD-3-Clause; run by LightGBM, MIT.",
    module=sleep_stages,
    attribute="SleepStages",
    files={
        "booster.txt": WheelFile(
            "yasa",
            "0.8.1",
            "yasa/classifiers/clf_eeg_lgb_0.5.0.joblib",
            "330c1afdc86396e0b6d9f1294d4c4796beb5f7e7cd38be424c10feae98867e31",
        )
    },
    signature=Signature(
        inputs=(
            Field(
                name="rows",
                kind="table",
                columns=tuple(Column(name=name, dtype="float64") for name in sleep_stages.FEATURES),
                nullable=True,
                description="A half minute each.",
            ),
        ),
        outputs=(Field(name="output", kind="json"),),
    ),
    packages=("lightgbm", "pandas"),
    prepare={"booster.txt": _trees_of},
)
