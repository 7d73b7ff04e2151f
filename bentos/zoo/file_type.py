"""File type: what a text or a file is, from its content: Python, CSV, PDF, PNG and 200 more.

This file is copied into the model's package, so it stands alone: no import of the rest of prefect-worklets.

The network and its thresholds are Google's Magika (Fratantonio et al., "Magika: AI-powered content-type detection",
2024): it reads the first and the last kilobyte.
"""

from __future__ import annotations

import base64
import binascii
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


class FileType:
    """`load(folder)` opens `model.onnx` and `config.json`; `predict` names the type."""

    def load(self, folder: Path) -> None:
        """Open the network and its settings."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self._network = onnxruntime.InferenceSession(str(folder / "model.onnx"), options)
        self._config: dict[str, Any] = json.loads((folder / "config.json").read_text())
        kinds: dict[str, Any] = json.loads((folder / "types.json").read_text())
        self._kinds = kinds

    def predict(self, content: str, encoded: bool = False) -> dict[str, Any]:
        """What the content is.

        Args:
            content: a text, or the base64 of a file's bytes.
            encoded: whether it is base64.

        Returns:
            `type`, `title`, `mime`, `group` (code, document, image ...), `is_text`, and the network's `score`, 0 to 1.
        """
        data = _bytes(content) if encoded else content.encode()
        if len(data[: self._config["block_size"]].lstrip()) < self._config["min_file_size_for_dl"]:
            return self._answer(_of_few_bytes(data), 1.0)
        (shares,) = self._network.run(["target_label"], {"bytes": self._features(data)})
        best = int(shares[0].argmax())
        label, score = self._config["target_labels_space"][best], float(shares[0][best])
        needed = self._config["thresholds"].get(label, self._config["medium_confidence_threshold"])
        label = self._config["overwrite_map"].get(label, label)
        if score < needed:
            label = "txt" if self._kinds[label]["is_text"] else "unknown"
        return self._answer(label, score)

    def _features(self, data: bytes) -> NDArray[np.int32]:
        block, padding = self._config["block_size"], self._config["padding_token"]
        first = data[:block].lstrip()[: self._config["beg_size"]]
        last = data[-block:].rstrip()[-self._config["end_size"] :]
        row = np.full(self._config["beg_size"] + self._config["end_size"], padding, np.int32)
        row[: len(first)] = np.frombuffer(first, np.uint8)
        row[len(row) - len(last) :] = np.frombuffer(last, np.uint8)
        return row[np.newaxis]

    def _answer(self, label: str, score: float) -> dict[str, Any]:
        kind = self._kinds[label]
        return {
            "type": label,
            "title": kind.get("description") or label,
            "mime": kind.get("mime_type") or "application/octet-stream",
            "group": kind.get("group") or "unknown",
            "is_text": bool(kind["is_text"]),
            "score": round(score, 4),
        }

    def sample(self) -> dict[str, Any]:
        """A piece of a program."""
        lines = ["import sys", "", "def main() -> int:", "    print('Hello', *sys.argv[1:])", "    return 0", ""]
        return {"content": "\n".join(lines * 3)}


def _of_few_bytes(data: bytes) -> str:
    if not data:
        return "empty"
    try:
        data.decode()
    except UnicodeDecodeError:
        return "unknown"
    return "txt"


def _bytes(content: str) -> bytes:
    try:
        return base64.b64decode(content, validate=True)
    except binascii.Error as error:
        raise ValueError(f"content is no base64: {error}") from None
