"""A tiny classifier on disk that is sure of every class, as an untrained one is not."""

import numpy as np

from ganfail_jax import zoo
from ganfail_jax.analysis.outputs import Models
from ganfail_jax.analysis.starts import at_samples
from ganfail_jax.analysis.views import views_of
from ganfail_jax.weights import store
from tests.analyze.conftest import CLASSIFIER
from tests.tiny import CLASS_NAMES


def save_sure(folder, generator, untrained):
    """Balance an untrained classifier on samples of the generator, spread its logits: its flags."""
    classifier, params = zoo.load_classifier(str(untrained))
    views = views_of(Models(*zoo.load_generator(str(generator)), classifier, params), 60)
    styles = at_samples(views, np.arange(60), truncation_psi=1.0).styles
    logits = views.logits(styles)
    scale, dense = 4 / logits.std(axis=0).mean(), params["dense"]
    bias = (dense["bias"] - logits.mean(axis=0)) * scale
    balanced = {**params, "dense": {"kernel": scale * dense["kernel"], "bias": bias}}
    about = {"class_names": list(CLASS_NAMES)}
    store.save(folder, "classifier", CLASSIFIER.to_dict(), balanced, about)
    return [f"--generator={generator}", f"--classifier={folder}"]
