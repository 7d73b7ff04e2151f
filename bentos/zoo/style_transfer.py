"""Style transfer: repaints one picture in the manner of another.

This file is copied into the model's package, so it stands alone: no import of the rest of prefect-worklets.

The networks are Ghiasi et al.'s "Exploring the structure of a real-time, arbitrary neural artistic stylization
network" (2017) as published by Magenta: one sums a style picture up in 100 numbers, the other repaints with them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]

STYLE_SIDE = 256
# The network halves each side twice; other sizes come out a few pixels off.
STEP = 4
SMALLEST = 32


class StyleTransfer:
    """`load(folder)` opens `predict.onnx` and `transform.onnx`; `predict` repaints."""

    def load(self, folder: Path) -> None:
        """Open both networks."""
        self._describe = _open(folder / "predict.onnx")
        self._paint = _open(folder / "transform.onnx")

    def predict(self, content: Pixels, style: Pixels, size: int = 384, strength: float = 1.0) -> Pixels:
        """The content repainted.

        Args:
            content, style: uint8, height x width x 3.
            size: the longer side of the result in pixels; its proportions are the content's.
            strength: 0 keeps the content's own manner, 1 takes the style's.

        Returns:
            uint8, height x width x 3.
        """
        canvas = _scaled(content, size)
        manner = self._manner(style)
        if strength < 1.0:
            manner = strength * manner + (1.0 - strength) * self._manner(content)
        first, second = (node.name for node in self._paint.get_inputs())
        (painted,) = self._paint.run(None, {first: canvas[np.newaxis], second: manner})
        height, width = canvas.shape[:2]
        pixels: Pixels = (np.clip(painted[0, :height, :width], 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
        return pixels

    def sample(self) -> dict[str, Any]:
        """Two small procedural pictures."""
        return {"content": gradient_picture(64, 48), "style": striped_picture(64, 64), "size": 64}

    def _manner(self, style: Pixels) -> NDArray[np.float32]:
        """The 100 numbers of the picture's middle square."""
        side = min(style.shape[:2])
        top, left = (style.shape[0] - side) // 2, (style.shape[1] - side) // 2
        square = Image.fromarray(style[top : top + side, left : left + side])
        small = square.resize((STYLE_SIDE, STYLE_SIDE), Image.Resampling.LANCZOS)
        batch = (np.asarray(small, np.float32) / 255.0)[np.newaxis]
        found = self._describe.run(None, {self._describe.get_inputs()[0].name: batch})[0]
        manner: NDArray[np.float32] = found.astype(np.float32)
        return manner


def _scaled(content: Pixels, size: int) -> NDArray[np.float32]:
    """The picture with its longer side `size`, both sides multiples of STEP, from 0 to 1."""
    height, width = content.shape[:2]
    scale = size / max(height, width)
    sides = [max(SMALLEST, round(side * scale / STEP) * STEP) for side in (width, height)]
    resized = Image.fromarray(content).resize((sides[0], sides[1]), Image.Resampling.LANCZOS)
    return np.asarray(resized, np.float32) / 255.0


def _open(path: Path) -> Any:
    import onnxruntime
    import psutil

    options = onnxruntime.SessionOptions()
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    # Hyper-threads share the units that a convolution needs: more threads than cores only wait for each other.
    options.intra_op_num_threads = max(1, min(allowed, psutil.cpu_count(logical=False) or allowed))
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def gradient_picture(width: int, height: int) -> Pixels:
    """A soft gradient with a bright disc: free of anybody's rights."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    disc = ((x - width * 0.6) ** 2 + (y - height * 0.45) ** 2) < (min(width, height) * 0.25) ** 2
    layers = [255 * x / width, 255 * y / height, 160 - 100 * x / width]
    picture = np.stack(layers, axis=-1)
    picture[disc] = (250, 220, 90)
    return picture.astype(np.uint8)


def striped_picture(width: int, height: int) -> Pixels:
    """Wavy stripes of three colours: free of anybody's rights."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    waves = np.sin(x / width * 18 + 3 * np.sin(y / height * 12))
    colours = np.array([[200, 60, 40], [30, 50, 120], [240, 200, 90]], np.float32)
    index = np.digitize(waves, [-0.3, 0.4])
    picture: Pixels = colours[index].astype(np.uint8)
    return picture
