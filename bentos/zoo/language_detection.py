"""Language detection: which of 176 languages a text is in.

This file is copied into the model's package, so it stands alone: no import of the rest of prefect-worklets.

The model is fastText's lid.176 (Joulin et al., "Bag of tricks for efficient text classification", 2016).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


class LanguageDetection:
    """`load(folder)` opens `lid.176.ftz`; `predict` names languages."""

    def load(self, folder: Path) -> None:
        """Open the model."""
        import fasttext

        self._model = fasttext.load_model(str(folder / "lid.176.ftz"))

    def predict(self, text: str, k: int = 3) -> list[dict[str, Any]]:
        """The likeliest languages.

        Args:
            text: in any script; line breaks count as spaces.
            k: how many languages to name.

        Returns:
            `{"language": ISO 639 code, "probability": 0 to 1}`, the likeliest first; empty for a text of spaces.
        """
        line = " ".join(text.split())
        if not line:
            return []
        found = self._model.predict(line, k=k)
        return [
            {"language": label.removeprefix("__label__"), "probability": round(min(1.0, float(share)), 4)}
            for label, share in zip(*found, strict=True)
        ]

    def sample(self) -> dict[str, Any]:
        """A sentence."""
        return {"text": "Der Zug nach Leipzig hat heute zehn Minuten Verspätung.", "k": 3}
