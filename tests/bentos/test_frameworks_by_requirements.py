"""Each framework: trained in a process that has it, sent to a server that gets it by `requirements` alone."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import shutil
import subprocess
import textwrap

import numpy as np
import pytest
from prefect_worklets.bentos.deployer import Deployer
from prefect_worklets.bentos.environments import Environments
from prefect_worklets.bentos.package import check_package

pytestmark = pytest.mark.integration

TORCH = ("torch==2.13.0", "safetensors")
TENSORFLOW = ("tensorflow-cpu==2.21.0",)
XGBOOST = ("xgboost-cpu==3.2.0",)

# Every script trains a small model, packs it into the folder `out`, and prints what it answers for `rows`.
HEAD = """
import json, sys
from pathlib import Path
import numpy as np
from prefect_worklets.bentos.package import pack
from sklearn.datasets import load_iris
out, requirements = Path(sys.argv[1]), json.loads(sys.argv[2])
X, y = load_iris(return_X_y=True)
rows = X[::10]
def send(model, answers, sample=X[:1], **options):
    pack(model, "model", sample_input=sample, requirements=requirements, folder=out, **options)
    print(json.dumps(answers))
"""
TORCH_HEAD = """
import torch
torch.manual_seed(1)
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = torch.nn.Linear(4, 8), torch.nn.Linear(8, 3)
        self.register_buffer("mean", torch.tensor(X.mean(0), dtype=torch.float32))
        self.drop = torch.nn.Dropout(0.5)
    def forward(self, x):
        return self.second(self.drop(torch.relu(self.first(x - self.mean)))).softmax(1)
net = Net()
inputs, labels = torch.tensor(X, dtype=torch.float32), torch.tensor(y)
descent = torch.optim.Adam(net.parameters(), 0.05)
for _ in range(60):
    descent.zero_grad()
    torch.nn.functional.nll_loss(net(inputs).log(), labels).backward()
    descent.step()
net.eval()
few = torch.tensor(rows, dtype=torch.float32)
answers = net(few).tolist()
"""
KERAS_HEAD = """
import os
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras
keras.utils.set_random_seed(1)
"""
SCRIPTS = {
    "torch module": (TORCH, "module", TORCH_HEAD + "send(net, answers)"),
    "torchscript file": (
        TORCH, "torchscript",
        TORCH_HEAD + "place = str(out) + '-net.pt'\ntorch.jit.script(net).save(place)\nsend(place, answers)",
    ),
    "torch export": (
        TORCH, "export",
        TORCH_HEAD + "size = {'x': {0: torch.export.Dim('n')}}\n"
        "send(torch.export.export(net, (inputs[:2],), dynamic_shapes=size), answers)",
    ),
    "keras with two inputs": (
        TENSORFLOW, "keras",
        KERAS_HEAD + """
left, right = keras.Input((2,), name="sepal"), keras.Input((2,), name="petal")
joined = keras.layers.Concatenate()([keras.layers.Dense(3)(left), keras.layers.Dense(3)(right)])
model = keras.Model([left, right], keras.layers.Dense(1)(joined))
model.compile("adam", "mse")
model.fit([X[:, :2], X[:, 2:]], y, epochs=2, verbose=0)
send(model, np.asarray(model([rows[:, :2], rows[:, 2:]])).tolist(), sample=None)
""",
    ),
    "saved model": (
        TENSORFLOW, "saved_model",
        KERAS_HEAD + """
model = keras.Sequential([keras.Input((4,), name="x"), keras.layers.Dense(3, "softmax")])
model.compile("adam", "sparse_categorical_crossentropy")
model.fit(X, y, epochs=1, verbose=0)
model.export(str(out) + "-saved", verbose=False)
send(str(out) + "-saved", np.asarray(model(rows)).tolist(), sample=None)
""",
    ),
    "xgboost classifier": (
        XGBOOST, "ubj",
        """
import xgboost
model = xgboost.XGBClassifier(n_estimators=5, max_depth=3).fit(X, y)
send(model, model.predict_proba(rows).tolist(), metadata={"method": "predict_proba"})
""",
    ),
    "xgboost json file": (
        XGBOOST, "ubj",
        """
import xgboost
rounds = xgboost.train({"objective": "reg:squarederror"}, xgboost.DMatrix(X, y), 5)
place = str(out) + "-trees.json"
rounds.save_model(place)
send(place, rounds.predict(xgboost.DMatrix(rows)).tolist())
""",
    ),
    "lightgbm classifier": (
        ("lightgbm==4.6.0",), "text",
        """
import lightgbm
names = np.array(["setosa", "versicolor", "virginica"])
model = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1).fit(X, names[y])
send(model, model.predict(rows).tolist())
""",
    ),
    "scikit-learn pipeline on a frame": (
        ("scikit-learn==1.5.2", "pandas==2.2.3"), "cloudpickle",
        """
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
model = make_pipeline(StandardScaler(), LogisticRegression()).fit(frame, y)
send(model, model.predict_proba(frame[::10]).tolist(), sample=frame[:1], metadata={"method": "predict_proba"})
""",
    ),
    "onnx graph": (
        ("onnx==1.22.0", "onnxruntime==1.27.0"), "onnx",
        """
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.linear_model import LogisticRegression
trained = LogisticRegression(max_iter=500).fit(X, y)
weights = [numpy_helper.from_array(value.astype(np.float32), name)
           for name, value in (("w", trained.coef_.T), ("b", trained.intercept_))]
steps = [helper.make_node("Gemm", ["x", "w", "b"], ["z"]), helper.make_node("Softmax", ["z"], ["p"], axis=1)]
graph = helper.make_graph(
    steps, "iris", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 4])],
    [helper.make_tensor_value_info("p", TensorProto.FLOAT, [None, 3])], weights)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
import onnxruntime
session = onnxruntime.InferenceSession(model.SerializeToString())
send(model, session.run(None, {"x": rows.astype(np.float32)})[0].tolist(), sample=None)
""",
    ),
    "class with load, preprocess and postprocess": (
        ("shapely==2.0.6",), "cloudpickle",
        """
class Inside:
    def __init__(self, corners):
        self.corners = corners
    def load(self):
        from shapely import Polygon
        self.area = Polygon(self.corners)
    def preprocess(self, x: np.ndarray) -> list:
        from shapely import Point
        return [Point(*row[:2]) for row in x]
    def predict(self, points: list) -> np.ndarray:
        return np.array([self.area.distance(point) for point in points])
    def postprocess(self, distances: np.ndarray) -> list:
        return (10 * distances).tolist()
model = Inside([(5.0, 3.0), (6.0, 3.0), (6.0, 4.0), (5.0, 3.5)])
model.load()
send(Inside(model.corners), model.postprocess(model.predict(model.preprocess(rows))))
""",
    ),
    "function": (
        ("shapely==2.0.6",), "cloudpickle",
        """
def lengths(x: np.ndarray) -> list:
    from shapely import LineString
    return [LineString([row[:2], row[2:]]).length for row in x]
send(lengths, lengths(rows))
""",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def environments(tmp_path_factory):
    return Environments(tmp_path_factory.mktemp("environments"))


@pytest.fixture
async def deployer(store, data, router, environments):
    deployer = Deployer(store, data, router, internal_key="key", environments=environments)
    await deployer.start()
    yield deployer
    await deployer.stop()


def trained(python, script, folder, requirements):
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    code = folder.with_name("train.py")
    code.write_text(HEAD + textwrap.dedent(script))
    ended = subprocess.run(
        [str(python), str(code), str(folder), json.dumps(requirements)],
        capture_output=True, text=True, env=variables, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-3000:]
    return json.loads(ended.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", SCRIPTS)
async def test_it_answers_as_the_original(deployer, router, environments, tmp_path, iris, name):
    requirements, kind, script = SCRIPTS[name]
    environment = await environments.ensure(requirements)
    folder = tmp_path / "package"
    expected = await asyncio.to_thread(trained, environment.python, script, folder, requirements)
    assert check_package(folder).format == kind
    row = await deployer.deploy(folder)
    assert (row.status, row.tier) == ("live", "own-environment"), row.error
    rows = iris[0][::10]
    takes = router.signature("model").inputs
    if len(takes) == 2:
        inputs = {"sepal": rows[:, :2].tolist(), "petal": rows[:, 2:].tolist()}
    elif takes[0].kind == "table":
        inputs = [dict(zip("abcd", one, strict=True)) for one in rows.tolist()]
    else:
        inputs = rows.tolist()
    found = (await router.predict("model", inputs)).outputs
    if isinstance(expected[0], str):
        assert np.asarray(found).tolist() == expected
    else:
        np.testing.assert_allclose(np.asarray(found, float), expected, atol=1e-6)


@pytest.fixture(scope="module")
def torch_package(environments, tmp_path_factory):
    """A package that asks for nothing."""
    environment = asyncio.run(environments.ensure(TORCH))
    folder = tmp_path_factory.mktemp("torch") / "package"
    trained(environment.python, SCRIPTS["torch module"][2], folder, [])
    return folder


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="torch is installed here")
async def test_a_server_without_the_framework_says_what_to_do(deployer, torch_package, tmp_path):
    from prefect_worklets.connectors.errors import DefinitionError

    folder = shutil.copytree(torch_package, tmp_path / "package")
    with pytest.raises(DefinitionError, match=r"needs the module torch.*requirements="):
        await deployer.deploy(folder, tier="isolated")


def test_weights_are_no_pickle(torch_package):
    skeleton, tensors = (
        (torch_package / "module.pkl").read_bytes(),
        (torch_package / "tensors.safetensors").read_bytes(),
    )
    # A header of 8 bytes and its length; then the numbers: 4 x 8 + 8 + 8 x 3 + 3 of the layers, and the 4 means.
    numbers = tensors[8 + int.from_bytes(tensors[:8], "little") :]
    assert len(numbers) == 4 * (67 + 4)
    assert all(numbers[start : start + 12] not in skeleton for start in range(0, len(numbers), 12))
