"""Tiny models on disk, for the entry points."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from PIL import Image

from ganfail_jax import zoo
from ganfail_jax.nn import classifiers
from ganfail_jax.weights import store
from tests.analyze import commands
from tests.tiny import CLASS_NAMES, CONFIG, random_variables

LABELLED = {  # what an artifact classifier remembers of its labels, by index
    "train": {"artifact": [4, 9, 2, 15, 11], "normal": [0, 1, 3, 5]},
    "held_out": {"artifact": [6, 20, 7], "normal": [8, 10, 12]},
}
CLASSIFIER = classifiers.CNNConfig(image_shape=(8, 8, 1), crop=8, num_classes=3)


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """Folders of a generator, an unconditional one, two classifiers, and one of the artifacts of
    either generator, of 8x8 images."""
    folder = tmp_path_factory.mktemp("models")
    unconditional = replace(CONFIG, num_classes=0)
    for name, config in (("generator", CONFIG), ("unconditional", unconditional)):
        store.save(folder / name, "stylegan2", config.to_dict(), random_variables(config), {})
    about = {"class_names": list(CLASS_NAMES)}
    for seed, name in enumerate(("classifier", "other")):
        params = jax.jit(lambda s: classifiers.init(CLASSIFIER, jax.random.key(s)))(seed)
        store.save(folder / name, "classifier", CLASSIFIER.to_dict(), params, about)
    _, params = zoo.load_classifier(str(folder / "classifier"))
    names = {"class_names": ["normal", "artifact", "real"]}
    for name, generator in (
        ("artifacts", "generator"),
        ("artifacts_unconditional", "unconditional"),
    ):
        sha256 = zoo.read_generator(str(folder / generator)).sha256
        told = {"seed": 3, "generator": generator, "generator_sha256": sha256, "samples": LABELLED}
        store.save(folder / name, "classifier", CLASSIFIER.to_dict(), params, names | told)
    return folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder of 40 pictures; features of them are kept beside it."""
    folder = tmp_path_factory.mktemp("pictures")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(commands.ENVIRONMENT, "GANFAIL_CACHE", str(folder / "cache"))
        folder = folder / "real"
        folder.mkdir()
        for i, image in enumerate(np.random.default_rng(0).integers(0, 256, (40, 8, 8), np.uint8)):
            Image.fromarray(image).save(folder / f"{i:02d}.png")
        yield folder


@pytest.fixture(scope="session")
def models(folders):
    """Flags that choose the generator and the first classifier."""
    return [f"--generator={folders / 'generator'}", f"--classifier={folders / 'classifier'}"]
