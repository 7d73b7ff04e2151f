"""Sentence embedding: texts as vectors whose cosine tells how alike their meanings are.

This file is copied into the model's package, so it stands alone: no import of the rest of prefect-worklets.

The model is sentence-transformers' all-MiniLM-L6-v2 (Reimers and Gurevych, "Sentence-BERT", 2019; Wang et al.,
"MiniLM", 2020) with int8 weights.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

LONGEST = 256
BATCH = 32


class SentenceEmbedding:
    """`load(folder)` opens `model.onnx` and `tokenizer.json`; `predict` embeds."""

    def load(self, folder: Path) -> None:
        """Open the network and its tokenizer."""
        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1)
        options.log_severity_level = 3
        self._network = onnxruntime.InferenceSession(str(folder / "model.onnx"), options)
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(LONGEST)
        self._tokenizer.enable_padding()

    def predict(self, texts: list[str]) -> NDArray[np.float32]:
        """One vector a text.

        Args:
            texts: what is past 256 word pieces of a text is cut off. One text alone is a list of one.

        Returns:
            float32, number of texts x 384, each of length 1.
        """
        batches = [self._embed(texts[start : start + BATCH]) for start in range(0, len(texts), BATCH)]
        return np.concatenate(batches) if batches else np.zeros((0, 384), np.float32)

    def _embed(self, texts: list[str]) -> NDArray[np.float32]:
        encoded = self._tokenizer.encode_batch(texts)
        ids = np.array([one.ids for one in encoded], np.int64)
        mask = np.array([one.attention_mask for one in encoded], np.int64)
        fed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        (states,) = self._network.run(None, fed)
        weight = mask[:, :, np.newaxis].astype(np.float32)
        means = (states * weight).sum(axis=1) / np.maximum(weight.sum(axis=1), 1e-9)
        vectors: NDArray[np.float32] = means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
        return vectors.astype(np.float32)

    def sample(self) -> dict[str, Any]:
        """Three sentences, two of which mean much the same."""
        return {"texts": ["A man plays the guitar.", "Someone is making music.", "The stock market fell."]}
