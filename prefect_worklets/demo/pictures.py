"""The demo's example pictures: two photographs that scikit-learn ships, and three drawn styles.

The photographs are scikit-learn's `china.jpg` (Yiping, CC-BY 2.0) and `flower.jpg` (vultilion, CC-BY 2.0).
The styles are drawn from sines and random strokes, so nobody owns them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIDE = 384


def write_pictures(folder: Path) -> list[Path]:
    """Write every example picture into `folder` as JPEG, where it is not there yet, and return the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for name, draw in _PICTURES.items():
        path = folder / f"{name}.jpg"
        if not path.exists():
            partial = path.with_suffix(".part")
            draw().save(partial, format="JPEG", quality=90)
            partial.replace(path)
        made.append(path)
    return made


def _photograph(name: str) -> Image.Image:
    from sklearn.datasets import load_sample_image

    return Image.fromarray(load_sample_image(name))


def waves() -> Image.Image:
    """Interfering sine waves in deep blues and gold."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    field = np.sin(18 * (y + 0.15 * np.sin(9 * x))) + np.sin(14 * np.hypot(x - 0.7, y - 0.2))
    palette = np.array([[13, 27, 82], [28, 94, 160], [120, 190, 210], [244, 208, 108], [250, 244, 214]], float)
    return Image.fromarray(_mapped(field, palette))


def mosaic() -> Image.Image:
    """Tiles around random seeds (a Voronoi diagram) with dark joints."""
    rng = np.random.default_rng(7)
    seeds = rng.uniform(0, SIDE, (160, 2))
    colours = np.array([[196, 62, 52], [232, 164, 60], [38, 110, 106], [240, 226, 190], [72, 52, 92]])
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    distance = (y[..., None] - seeds[:, 0]) ** 2 + (x[..., None] - seeds[:, 1]) ** 2
    nearest = np.sort(np.sqrt(distance), axis=2)[..., :2]
    picture = colours[rng.integers(0, len(colours), len(seeds))][distance.argmin(axis=2)].astype(float)
    picture[(nearest[..., 1] - nearest[..., 0]) < 3.5] = (32, 26, 30)
    return Image.fromarray(np.clip(picture + rng.normal(0, 8, picture.shape), 0, 255).astype(np.uint8))


def strokes() -> Image.Image:
    """Thick short brush strokes in warm colours, laid in a swirl."""
    rng = np.random.default_rng(3)
    picture = Image.new("RGB", (SIDE, SIDE), (62, 30, 48))
    draw = ImageDraw.Draw(picture)
    colours = [(228, 87, 46), (247, 181, 56), (120, 41, 92), (250, 232, 200), (45, 80, 120), (200, 60, 90)]
    for _ in range(1800):
        x, y = rng.uniform(0, SIDE, 2)
        angle = np.arctan2(y - SIDE / 2, x - SIDE / 2) + np.pi / 2 + rng.normal(0, 0.25)
        length = rng.uniform(10, 30)
        end = (x + length * np.cos(angle), y + length * np.sin(angle))
        draw.line([(x, y), end], fill=colours[rng.integers(len(colours))], width=int(rng.integers(3, 8)))
    return picture.filter(ImageFilter.SMOOTH)


def _mapped(field: np.ndarray, palette: np.ndarray) -> np.ndarray:
    scaled = (field - field.min()) / (field.max() - field.min()) * (len(palette) - 1)
    low = np.clip(scaled.astype(int), 0, len(palette) - 2)
    part = (scaled - low)[..., None]
    mixed: np.ndarray = palette[low] * (1 - part) + palette[low + 1] * part
    return mixed.astype(np.uint8)


_PICTURES: dict[str, Callable[[], Image.Image]] = {
    "temple": lambda: _photograph("china.jpg"),
    "flower": lambda: _photograph("flower.jpg"),
    "waves": waves,
    "mosaic": mosaic,
    "strokes": strokes,
}
