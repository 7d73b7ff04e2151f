"""ONNX models, run by onnxruntime."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...connectors.errors import DefinitionError
from ..manifest import Manifest
from ..signature import Field, Signature
from ..telemetry import send_none
from .base import Loaded, Saved, default_sample, physical_cores

_FILE = "model.onnx"
_PROVIDERS = ("CUDAExecutionProvider", "ROCMExecutionProvider", "CPUExecutionProvider")
_TYPES = {
    "tensor(float)": "float32", "tensor(double)": "float64", "tensor(float16)": "float16", "tensor(bool)": "bool",
    "tensor(int8)": "int8", "tensor(int16)": "int16", "tensor(int32)": "int32", "tensor(int64)": "int64",
    "tensor(uint8)": "uint8", "tensor(uint16)": "uint16", "tensor(uint32)": "uint32", "tensor(uint64)": "uint64",
    "tensor(string)": "object",
}  # fmt: skip


class Onnx:
    """The framework of ONNX: a `ModelProto`, or the path of an `.onnx` file."""

    name = "onnx"

    def recognises(self, model: Any) -> bool:
        """Whether it is a path that ends in .onnx, or a ModelProto."""
        if isinstance(model, str | Path):
            return str(model).endswith(".onnx")
        onnx = sys.modules.get("onnx")
        return onnx is not None and isinstance(model, onnx.ModelProto)

    def describe(self, model: Any, sample: Any, metadata: Mapping[str, Any]) -> Signature:
        """Inputs and outputs as the graph declares them. Raises DefinitionError for a graph that does not run."""
        content = model.SerializeToString() if hasattr(model, "SerializeToString") else str(model)
        session = open_session(content)
        inputs = tuple(_field(node) for node in session.get_inputs())
        outputs = tuple(_field(node) for node in session.get_outputs())
        if len(outputs) == 1:  # a lone output is the answer itself
            outputs = (outputs[0].model_copy(update={"name": "output"}),)
        return Signature(inputs=inputs, outputs=outputs if all(f.kind == "array" for f in outputs) else ())

    def save(self, model: Any, folder: Path, metadata: Mapping[str, Any]) -> Saved:
        """Write the graph with its weights in one file."""
        if isinstance(model, str | Path):
            shutil.copyfile(model, folder / _FILE)
        else:
            (folder / _FILE).write_bytes(model.SerializeToString())
        return Saved("onnx", {"file": _FILE}, ("onnxruntime", "numpy"))

    def load(self, folder: Path, manifest: Manifest) -> Loaded:
        """An onnxruntime session of the graph."""
        return LoadedSession(open_session(str(folder / manifest.entry["file"])), manifest.signature)


class LoadedSession:
    """An onnxruntime session in memory."""

    def __init__(self, session: Any, signature: Signature) -> None:
        self._session = session
        self._signature = signature
        self._names = [node.name for node in session.get_outputs()]

    def predict(self, values: Mapping[str, Any]) -> Any:
        """The lone output, or a dict of the outputs by name."""
        found = self._session.run(None, dict(values))
        return found[0] if len(found) == 1 else dict(zip(self._names, found, strict=True))

    def sample(self) -> Mapping[str, Any] | None:
        """Zeros of the declared shapes, free dimensions 1."""
        return default_sample(self._signature)


def open_session(model: str | bytes) -> Any:
    """A session on the CPU, or a GPU where onnxruntime has one. Raises DefinitionError."""
    send_none()
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = physical_cores()
    options.log_severity_level = 3
    available = onnxruntime.get_available_providers()
    providers = [name for name in _PROVIDERS if name in available]
    try:
        return onnxruntime.InferenceSession(model, options, providers=providers)
    except Exception as error:  # onnxruntime's own exceptions share no base but Exception
        raise DefinitionError(f"onnxruntime cannot open this model: {error}") from None


def _field(node: Any) -> Field:
    dtype = _TYPES.get(node.type)
    if dtype is None:
        return Field(name=node.name, kind="json")
    shape = tuple(size if isinstance(size, int) else None for size in node.shape)
    nullable = np.dtype(dtype).kind == "f"
    return Field(name=node.name, kind="array", dtype=dtype, shape=shape, nullable=nullable)
