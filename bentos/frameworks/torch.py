"""PyTorch: modules, TorchScript and exported programs.

A module is kept as two files: every tensor in safetensors, and the rest, which is Python, as a pickle that refers to
the tensors by number. TorchScript and `torch.export` have formats of their own.
"""

from __future__ import annotations

import inspect
import io
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...connectors.errors import DefinitionError
from ..inference import field_of_sample
from ..manifest import Manifest
from ..signature import Field, Signature
from .base import Loaded, Saved, default_sample, physical_cores
from .imports import distributions_of, modules_of_object
from .pickling import FreshClasses, dumps_by_value

_TENSORS, _SKELETON, _SCRIPT, _EXPORTED = "tensors.safetensors", "module.pkl", "module.pt", "module.pt2"
_SUFFIXES = (".pt", ".pth", ".pt2")


class Torch:
    """The framework of PyTorch. The inputs are called as the parameters of `forward`."""

    name = "torch"

    def recognises(self, model: Any) -> bool:
        """Whether it is a module, an exported program, or the path of a .pt or .pt2 file."""
        if isinstance(model, str | Path):
            return str(model).endswith(_SUFFIXES)
        torch = sys.modules.get("torch")
        return torch is not None and (isinstance(model, torch.nn.Module) or _is_exported(model))

    def describe(self, model: Any, sample: Any, metadata: Mapping[str, Any]) -> Signature:
        """The parameters of `forward`, their types and shapes by the sample. Raises DefinitionError without one."""
        model = _opened(model)
        if sample is None:
            raise DefinitionError("A PyTorch model does not say what it takes; give `sample_input=`, such as `x[:1]`.")
        dtype = _float_of(model)
        names = _parameters(model)
        given = sample if isinstance(sample, Mapping) and set(sample) <= set(names) else {names[0]: sample}
        fields = [field_of_sample(name, _as_array(given[name])) for name in names if name in given]
        return Signature(inputs=tuple(_with_float(field, dtype) for field in fields))

    def save(self, model: Any, folder: Path, metadata: Mapping[str, Any]) -> Saved:
        """Write tensors and code. Raises DefinitionError for what cannot be pickled."""
        import torch

        model = _opened(model)
        if _is_exported(model):
            torch.export.save(model, str(folder / _EXPORTED))
            return Saved("export", {}, ("torch", "numpy"))
        if isinstance(model, torch.jit.ScriptModule):
            torch.jit.save(model, str(folder / _SCRIPT))
            return Saved("torchscript", {}, ("torch", "numpy"))
        _save_module(model, folder)
        others = set(distributions_of(modules_of_object(model)))
        return Saved("module", {}, tuple(sorted({"torch", "numpy", "safetensors", "cloudpickle"} | others)))

    def load(self, folder: Path, manifest: Manifest) -> Loaded:
        """The model, on a GPU where there is one."""
        import torch

        torch.set_num_threads(physical_cores())
        device = "cuda" if torch.cuda.is_available() else "cpu"
        if manifest.format == "export":
            model = torch.export.load(str(folder / _EXPORTED)).module()
        elif manifest.format == "torchscript":
            model = torch.jit.load(str(folder / _SCRIPT), map_location=device)
        else:
            model = _load_module(folder)
        if manifest.format != "export":
            model.eval()
        return LoadedModule(model.to(device), device, manifest.signature)


class LoadedModule:
    """A module in memory."""

    def __init__(self, model: Any, device: str, signature: Signature) -> None:
        self._model = model
        self._device = device
        self._signature = signature

    def predict(self, values: Mapping[str, Any]) -> Any:
        """What `forward` answers, tensors as arrays; a tuple is numbered."""
        import torch

        with torch.inference_mode():
            given = {name: self._tensor(value) for name, value in values.items()}
            positional = [given[field.name] for field in self._signature.inputs if field.name in given]
            return _as_data(self._model(*positional))

    def sample(self) -> Mapping[str, Any] | None:
        """Zeros of the known shapes."""
        return default_sample(self._signature)

    def _tensor(self, value: Any) -> Any:
        import torch

        if isinstance(value, np.ndarray):
            # A view into a request's body is read-only, of which torch warns.
            return torch.from_numpy(value if value.flags.writeable else value.copy()).to(self._device)
        return value


def _save_module(model: Any, folder: Path) -> None:
    import torch
    from safetensors.torch import save_file

    kept: dict[str, Any] = {}
    numbers: dict[int, str] = {}

    def persistent_id(value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return None
        if id(value) not in numbers:
            numbers[id(value)] = f"t{len(numbers)}"
            kept[numbers[id(value)]] = value.detach().to("cpu").contiguous().clone()
        return (numbers[id(value)], isinstance(value, torch.nn.Parameter), value.requires_grad)

    (folder / _SKELETON).write_bytes(dumps_by_value(model, persistent_id))
    save_file(kept, str(folder / _TENSORS))


def _load_module(folder: Path) -> Any:
    import torch
    from safetensors.torch import load_file

    tensors = load_file(str(folder / _TENSORS))
    made: dict[str, Any] = {}

    class Reader(FreshClasses):
        def persistent_load(self, pid: Any) -> Any:
            number, is_parameter, wants_gradient = pid
            if number not in made:
                found = tensors[number]
                made[number] = torch.nn.Parameter(found, wants_gradient) if is_parameter else found
            return made[number]

    return Reader(io.BytesIO((folder / _SKELETON).read_bytes())).load()


def _opened(model: Any) -> Any:
    if not isinstance(model, str | Path):
        return model
    import torch

    path = Path(model)
    if not path.is_file():
        raise DefinitionError(f"There is no file {model}; the path is relative to where you run this.")
    if path.suffix == ".pt2":
        return torch.export.load(str(path))
    try:
        return torch.jit.load(str(path), map_location="cpu")
    except RuntimeError:
        raise DefinitionError(
            f"{path.name} is no TorchScript; a file of weights alone does not say what to compute. Deploy the module "
            "from Python, or save it with `torch.jit.script(model).save(path)` or `torch.export.save`."
        ) from None


def _is_exported(model: Any) -> bool:
    return type(model).__name__ == "ExportedProgram" and type(model).__module__.startswith("torch.export")


def _forward(model: Any) -> Any:
    return model.module().forward if _is_exported(model) else model.forward


def _parameters(model: Any) -> list[str]:
    import torch

    if isinstance(model, torch.jit.ScriptModule):
        return [one.name for one in model.forward.schema.arguments if one.name != "self"]
    return list(inspect.signature(_forward(model)).parameters)


def _float_of(model: Any) -> str | None:
    """The type of the model's own numbers."""
    state = model.state_dict if _is_exported(model) else model.state_dict()
    return next((str(one.dtype).removeprefix("torch.") for one in state.values() if one.is_floating_point()), None)


def _with_float(field: Field, dtype: str | None) -> Field:
    """The field in the model's own precision: notebooks give float64, modules want float32."""
    if dtype in ("float32", "float64") and field.kind == "array" and str(field.dtype).startswith("float"):
        return field.model_copy(update={"dtype": dtype})
    return field


def _as_array(value: Any) -> Any:
    return value.detach().cpu().numpy() if hasattr(value, "detach") else value


def _as_data(answer: Any) -> Any:
    if hasattr(answer, "detach"):
        return answer.detach().cpu().numpy()
    if isinstance(answer, Mapping):
        return {str(name): _as_data(one) for name, one in answer.items()}
    if isinstance(answer, tuple | list):
        return {f"output_{number}": _as_data(one) for number, one in enumerate(answer)}
    return answer
