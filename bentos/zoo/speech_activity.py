"""Speech activity: when in a recording somebody speaks.

This file is copied into the model's package, so it stands alone: no import of the rest of prefect-worklets.

The network is Silero's voice activity detector: 32 ms at a time, with a memory.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

RATE = 16_000
WINDOW = 512  # samples, 32 ms
CONTEXT = 64  # samples of the window before that the network sees again
SHORTEST_SPEECH = 0.25
SHORTEST_PAUSE = 0.1
# Once speech has begun, it goes on until the network is this much less sure.
HYSTERESIS = 0.15


class SpeechActivity:
    """`load(folder)` opens `silero_vad.onnx`; `predict` finds speech."""

    def load(self, folder: Path) -> None:
        """Open the network."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        # A step is far too small to share out.
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self._network = onnxruntime.InferenceSession(str(folder / "silero_vad.onnx"), options)

    def predict(self, audio: NDArray[np.float32], rate: int = RATE, threshold: float = 0.5) -> dict[str, Any]:
        """Where speech begins and ends.

        Args:
            audio: one channel, -1 to 1.
            rate: samples a second; anything but 16000 is resampled.
            threshold: how sure the network must be, 0 to 1.

        Returns:
            `speech`: `{"start", "end"}` in seconds, in order; `share`: of the recording, 0 to 1; `seconds`: its length.
        """
        seconds = len(audio) / rate
        shares = self._probabilities(_resampled(audio, rate))
        speech = _segments(shares, threshold, seconds)
        spoken = sum(one["end"] - one["start"] for one in speech)
        return {"speech": speech, "share": round(spoken / seconds, 4) if seconds else 0.0, "seconds": round(seconds, 3)}

    def _probabilities(self, audio: NDArray[np.float32]) -> list[float]:
        state = np.zeros((2, 1, 128), np.float32)
        before = np.zeros(CONTEXT, np.float32)
        rate = np.array(RATE, np.int64)
        found = []
        for start in range(0, len(audio), WINDOW):
            window = audio[start : start + WINDOW]
            window = np.pad(window, (0, WINDOW - len(window)))
            fed = {"input": np.concatenate([before, window])[np.newaxis], "state": state, "sr": rate}
            share, state = self._network.run(None, fed)
            before = window[-CONTEXT:]
            found.append(float(share[0, 0]))
        return found

    def sample(self) -> dict[str, Any]:
        """A second of silence, a second of a synthetic voice, a second of silence."""
        silence = np.zeros(RATE, np.float32)
        return {"audio": np.concatenate([silence, synthetic_voice(1.0), silence])}


def _resampled(audio: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    if rate == RATE:
        return np.asarray(audio, np.float32)
    from math import gcd

    from scipy.signal import resample_poly

    shared = gcd(rate, RATE)
    resampled: NDArray[np.float32] = resample_poly(audio, RATE // shared, rate // shared).astype(np.float32)
    return resampled


def _segments(shares: list[float], threshold: float, seconds: float) -> list[dict[str, float]]:
    step = WINDOW / RATE
    raw: list[list[float]] = []
    speaking = False
    for index, share in enumerate(shares):
        speaking = share >= (threshold - HYSTERESIS if speaking else threshold)
        if not speaking:
            continue
        start, end = index * step, min(seconds, (index + 1) * step)
        if raw and start - raw[-1][1] <= SHORTEST_PAUSE:
            raw[-1][1] = end
        else:
            raw.append([start, end])
    long_enough = [(start, end) for start, end in raw if end - start >= SHORTEST_SPEECH]
    return [{"start": round(start, 3), "end": round(end, 3)} for start, end in long_enough]


def synthetic_voice(seconds: float) -> NDArray[np.float32]:
    """Vowels that change, from a buzzing source and three resonances: free of anybody's rights."""
    from scipy.signal import lfilter

    samples = int(seconds * RATE)
    time = np.arange(samples) / RATE
    pitch = 120 + 25 * np.sin(2 * np.pi * 2.1 * time)
    phase = np.cumsum(pitch) / RATE
    source = np.diff(np.floor(phase), prepend=0.0) + 0.02 * np.random.default_rng(7).standard_normal(samples)
    vowels = [(730, 1090, 2440), (270, 2290, 3010), (570, 840, 2410), (530, 1840, 2480)]
    length = RATE // 5
    pieces = []
    for number, start in enumerate(range(0, samples, length)):
        piece = source[start : start + length]
        for formant in vowels[number % len(vowels)]:
            radius = np.exp(-np.pi * 90 / RATE)
            piece = lfilter([1 - radius], [1, -2 * radius * np.cos(2 * np.pi * formant / RATE), radius**2], piece)
        pieces.append(piece * np.hanning(len(piece)) ** 0.3)
    voice = np.concatenate(pieces)
    voiced: NDArray[np.float32] = (0.6 * voice / np.abs(voice).max()).astype(np.float32)
    return voiced
