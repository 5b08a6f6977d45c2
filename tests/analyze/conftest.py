"""Tiny models on disk, for the entry points."""

from dataclasses import replace

import jax
import pytest

from ganfail_jax.nn import classifiers
from ganfail_jax.weights import store
from tests.tiny import CLASS_NAMES, CONFIG, random_variables

CLASSIFIER = classifiers.CNNConfig(image_shape=(8, 8, 1), crop=8, num_classes=3)


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """Folders of a generator, an unconditional one, and two classifiers, of 8x8 images."""
    folder = tmp_path_factory.mktemp("models")
    unconditional = replace(CONFIG, num_classes=0)
    for name, config in (("generator", CONFIG), ("unconditional", unconditional)):
        store.save(folder / name, "stylegan2", config.to_dict(), random_variables(config), {})
    about = {"class_names": list(CLASS_NAMES)}
    for seed, name in enumerate(("classifier", "other")):
        params = jax.jit(lambda s: classifiers.init(CLASSIFIER, jax.random.key(s)))(seed)
        store.save(folder / name, "classifier", CLASSIFIER.to_dict(), params, about)
    return folder


@pytest.fixture(scope="session")
def models(folders):
    """Flags that choose the generator and the first classifier."""
    return [f"--generator={folders / 'generator'}", f"--classifier={folders / 'classifier'}"]
