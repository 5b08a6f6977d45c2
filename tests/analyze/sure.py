"""A tiny classifier on disk that is sure of itself, as an untrained one is not."""

import jax

from ganfail_jax.nn import classifiers
from ganfail_jax.weights import store
from tests.analyze.conftest import CLASSIFIER
from tests.tiny import CLASS_NAMES


def save_sure(folder):
    params = jax.jit(lambda: classifiers.init(CLASSIFIER, jax.random.key(0)))()
    params["dense"] = {name: 100 * values for name, values in params["dense"].items()}
    about = {"class_names": list(CLASS_NAMES)}
    store.save(folder, "classifier", CLASSIFIER.to_dict(), params, about)
    return f"--classifier={folder}"
