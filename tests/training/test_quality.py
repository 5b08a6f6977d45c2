from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax.data.image_sets import in_memory
from ganfail_jax.errors import InputError
from ganfail_jax.images import to_float
from ganfail_jax.metrics.features import Features
from ganfail_jax.metrics.frechet import feature_moments, frechet_distance
from ganfail_jax.training import quality
from ganfail_jax.types import Classifier, Generator

SIZE, CLASSES = 16, 3


def bars(count: int) -> np.ndarray:
    """Class k: a white bar whose middle is in third k; sharp, on black."""
    images = np.zeros((count, SIZE, SIZE, 1), np.uint8)
    for n in range(count):
        images[n, 5 * (n % 3) + 1 : 5 * (n % 3) + 4] = 255
    return images


def linear_generator(classes: int = CLASSES) -> Generator:
    """Variables {"images" [k,h,w,c], "noise"}: the image of the class plus noise made of z."""

    def styles(params, z, label=None, truncation_psi: Any = 1.0):
        assert truncation_psi == 1
        label = jnp.eye(CLASSES)[:1].repeat(len(z), 0) if label is None else label
        return {"z": z, "label": label}

    def synthesis(params, styles, edits, noise, noise_keys):
        assert (edits, noise) == (None, "random")
        assert noise_keys.shape == styles["z"].shape[:1]
        noise = params["noise"] * styles["z"].reshape(-1, SIZE, SIZE, 1)
        return jnp.einsum("bk,khwc->bhwc", styles["label"], params["images"]) + noise, {}

    shape = (SIZE, SIZE, 1)
    return Generator(SIZE**2, classes, shape, {}, {}, None, styles, synthesis, True, "const")


def features(params, images):
    """One channel per class: the brightness of each third."""
    thirds = [images[:, 5 * k : 5 * k + 5].mean(axis=(1, 2, 3)) for k in range(CLASSES)]
    return jnp.stack(thirds, axis=-1)[:, None, None, :] * params


CLASSIFIER = Classifier(
    *((SIZE, SIZE, 1), CLASSES, ("a", "b", "c"), features, lambda params, x: x[:, 0, 0])
)
ONE = jnp.ones(())


def variables(noise=0.0, order=(0, 1, 2)):
    images = to_float(bars(CLASSES))[list(order)]
    return {"images": jnp.asarray(images), "noise": jnp.asarray(noise)}


def evaluator(generator=None, real=None, **options):
    real = bars(60) if real is None else real
    options = {"num_samples": 30, "batch_size": 12, **options}
    return quality.evaluator(
        generator or linear_generator(), CLASSIFIER, ONE, in_memory(real), **options
    )


def test_perfect_generator():
    measured = evaluator()(variables())
    assert measured["agreement"] == measured["agreement_clean"] == 1
    assert measured["clean_share"] == 1
    assert measured["black_share"] == pytest.approx(1 - 3 / SIZE)
    assert "agreement_corrupted" not in measured  # there is none to agree
    assert abs(measured["score"]) < 1e-9


def test_agreement_counts_the_class_that_was_asked_for():
    assert evaluator()(variables(order=(1, 0, 2)))["agreement"] == pytest.approx(1 / 3)


def test_noise_lowers_the_clean_share_and_raises_the_score():
    measured = evaluator()(variables(noise=0.3))
    assert measured["clean_share"] == 0
    assert measured["score"] > 1e-4


def test_score_is_the_frechet_distance_of_pooled_features():
    real = bars(60)[:40]
    collapsed = variables(order=(0, 0, 1))
    score = evaluator(real=real)(collapsed)["score"]
    see = lambda images: np.asarray(features(ONE, to_float(images)).mean((1, 2)))  # noqa: E731
    made = bars(3)[np.array([0, 0, 1] * 10)]
    moments = (feature_moments(see(made)), feature_moments(see(real)))
    expected = frechet_distance(*moments, "population")
    assert score == pytest.approx(expected, rel=1e-5)


def test_numbers_do_not_depend_on_the_batch_and_repeat():
    results = [evaluator(batch_size=size)(variables(0.1)) for size in (7, 30, 30)]
    assert results[0] == pytest.approx(results[1], rel=1e-5)
    assert results[1] == results[2]


def test_unconditional_generator_has_no_agreement():
    measured = evaluator(linear_generator(classes=0))(variables())
    assert set(measured) == {"score", "clean_share", "black_share"}


def test_score_is_of_the_features_that_are_given():
    corner = Features("a corner", 1, lambda images: to_float(images[:, :1, 0, 0]))
    measured = evaluator(features=corner)(variables(noise=0.3))
    assert measured["score"] > 1e-3  # black in every real image, noisy in the generated ones
    assert abs(evaluator(features=corner)(variables())["score"]) < 1e-12


def test_a_classifier_without_a_map_scores_on_its_logits():
    """Of any image shape, as a function of the user's own."""
    logits = CLASSIFIER._replace(image_shape=None, features=None, head=CLASSIFIER.logits)
    real = in_memory(bars(60))
    measure = quality.evaluator(
        linear_generator(), logits, ONE, real, num_samples=30, batch_size=12
    )
    measured, mapped = measure(variables(0.3)), evaluator()(variables(0.3))
    assert measured == pytest.approx(mapped, rel=1e-5)  # here the logits are the map's means


@pytest.mark.parametrize(
    ("generator", "real", "message"),
    [
        (linear_generator(), bars(6)[:, :8], r"data are \(16, 16, 1\), .* and \(8, 16, 1\)"),
        (linear_generator(classes=4), None, "generator has 4 classes, the classifier 3"),
    ],
)
def test_what_does_not_fit_is_refused(generator, real, message):
    with pytest.raises(InputError, match=message):
        evaluator(generator, real)
