"""The ranking against float64 finite differences, and its independence of batches and devices."""

import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy

from ganfail_jax import runtime
from ganfail_jax.analysis import outputs, ranking
from ganfail_jax.data.image_sets import generated
from ganfail_jax.runtime import Sweep
from ganfail_jax.statistics.intervals import Z95
from ganfail_jax.types import unflatten_styles
from tests.tiny import CONFIG, cast, models

NUM_SAMPLES = 37
ROOT = Path(__file__).parents[2]


def run(batch_size=16, num_samples=NUM_SAMPLES, **kwargs):
    mesh = runtime.data_mesh(jax.devices()[: kwargs.pop("devices", 1)])
    judged = kwargs.pop("models", None) or models()
    sweep = Sweep(batch_size, mesh)
    return ranking.rank(judged, num_samples, sweep, replicates=20, top=5, **kwargs)


@pytest.fixture(scope="module")
def found():
    return run()


def all_samples(tiny, count=NUM_SAMPLES):
    return jax.jit(lambda i: outputs.sample_styles(tiny, 0, i, 1.0)[:2])(jnp.arange(count))


def finite_differences(score):
    """d mean score / d s_j over all samples by central differences in float64: [s].

    Of images that are clipped while they move; what rounding to 8 bits adds to them stays as it is
    (`images.as_viewed`).
    """
    tiny = models()
    styles, labels = all_samples(tiny)
    viewed = np.asarray(jax.jit(partial(outputs.render, tiny))(styles), np.float64)
    with jax.enable_x64(True):
        exact = models(replace(CONFIG, dtype="float64"))
        exact = exact.with_params(cast(tiny.params, jnp.float64))
        step = 1e-5

        @jax.jit
        def clipped(styles):
            vectors = unflatten_styles(styles, exact.generator.style_dims)
            return jnp.clip(exact.generator.synthesize(exact.generator_params, vectors)[0], -1, 1)

        at = jnp.asarray(styles, jnp.float64)
        rounding = viewed - clipped(at)
        assert 0.003 < np.abs(rounding).max() < 1 / 127.5

        @jax.jit
        def mean_score(styles):
            images = clipped(styles) + rounding
            logits = exact.classifier.logits(exact.classifier_params, images)
            return jnp.mean(outputs.SCORES[score](logits, labels))

        moves = step * jnp.eye(styles.shape[1], dtype=jnp.float64)
        return np.asarray([(mean_score(at + m) - mean_score(at - m)) / (2 * step) for m in moves])


@pytest.mark.parametrize("score", outputs.SCORES)
def test_scores_agree_with_finite_differences(score):
    reference = finite_differences(score)
    ours = run(score=score).score[0]
    # float32 rounding of a sum of 37 gradients, also of what is just clipped
    np.testing.assert_allclose(ours, reference, atol=1e-4 * np.abs(reference).max())


def test_order_direction_and_groups(found):
    assert found.groups == ("all", "a", "b", "c")
    assert list(found.num_samples) == [37, 13, 12, 12]
    magnitude = np.abs(found.score)
    for row, order in zip(magnitude, found.order, strict=True):
        assert (np.diff(row[order]) <= 0).all()
        assert sorted(order) == list(range(len(row)))
    np.testing.assert_array_equal(found.direction, -np.sign(found.score))
    weighted = (found.score[1:] * found.num_samples[1:, None]).sum(0) / 37
    np.testing.assert_allclose(found.score[0], weighted, rtol=1e-6, atol=1e-9)


def test_errors_are_those_of_the_samples(found):
    tiny = models()
    styles, labels = all_samples(tiny)
    gradients, _ = jax.jit(partial(ranking.style_gradients, tiny))(styles, labels)
    gradients = np.asarray(gradients, np.float64)
    error = gradients.std(0, ddof=1) / np.sqrt(NUM_SAMPLES)
    np.testing.assert_allclose(found.standard_error[0], error, rtol=1e-3, atol=1e-7)
    np.testing.assert_allclose(found.style_std, np.std(styles, 0, ddof=1), rtol=1e-3)
    low, high = found.interval
    np.testing.assert_allclose(high - low, 2 * Z95 * found.standard_error)


def test_accuracy_and_softmax_are_those_of_the_samples(found):
    tiny = models()
    styles, labels = all_samples(tiny)
    logits = jax.jit(partial(outputs.logits_of, tiny))(styles)
    assert found.accuracy[0] == pytest.approx(float((logits.argmax(1) == labels).mean()))
    softmax = outputs.softmax_score(logits, labels)
    assert found.softmax[0] == pytest.approx(float(softmax.mean()), rel=1e-5)


@pytest.mark.parametrize("batch_size", [1, 5, 1000])
def test_batch_size_does_not_matter(found, batch_size):
    other = run(batch_size)
    for name in ("score", "standard_error", "top_share", "style_std", "stability"):
        np.testing.assert_allclose(
            getattr(other, name), getattr(found, name), rtol=2e-4, atol=1e-6, err_msg=name
        )


SCRIPT = """
import jax, sys, numpy as np
assert len(jax.devices()) == 4
from ganfail_jax.data.image_sets import generated
from tests.analysis.test_ranking import noisy, run
found = run(devices=int(sys.argv[1]), models=noisy())
images = generated(noisy().generator, noisy().generator_params, 6, seed=3).take(np.arange(6))
np.savez(
    sys.argv[2],
    score=found.score, error=found.standard_error, share=found.top_share, images=images,
)
"""


def noisy():
    """Tiny models whose samples have noise of their own."""
    return models()._replace(generator=models().generator.with_noise("random"))


@pytest.mark.slow
def test_device_count_does_not_matter(tmp_path, monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=4")
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    results = []
    for devices in (1, 4):
        file = tmp_path / f"{devices}.npz"
        command = [sys.executable, "-c", SCRIPT, str(devices), str(file)]
        subprocess.run(command, check=True, timeout=300, cwd=ROOT)
        results.append(dict(np.load(file)))
    images = [result.pop("images") for result in results]  # of all devices
    alone = generated(noisy().generator, noisy().generator_params, 6, seed=3).take(np.arange(6))
    np.testing.assert_array_equal(*images)
    assert np.abs(images[0].astype(int) - alone).max() <= 1  # a level
    for name in results[0]:
        np.testing.assert_allclose(results[0][name], results[1][name], rtol=2e-4, atol=1e-6)


def test_normalization_multiplies_by_the_standard_deviation(found):
    scaled = run(normalize="std")
    np.testing.assert_allclose(scaled.score, found.score * found.style_std, rtol=1e-6)
    assert not np.array_equal(scaled.order[0], found.order[0])


def test_bootstrap_weights_are_poisson():
    weights = np.asarray(ranking.bootstrap_weights(0, jnp.arange(2000), 20))
    assert weights.mean() == pytest.approx(1, abs=4 / np.sqrt(weights.size))
    assert weights.var() == pytest.approx(1, abs=0.05)
    assert (weights == 0).mean() == pytest.approx(np.exp(-1), abs=0.01)


def test_bootstrap_spread_matches_the_standard_error(found):
    tiny = models()
    step = partial(
        ranking.batch_statistics, tiny, seed=0, truncation_psi=1.0, score="softmax", replicates=2000
    )
    sums = jax.device_get(jax.jit(step)(jnp.arange(NUM_SAMPLES), jnp.ones(NUM_SAMPLES, bool)))
    weight = sums.bootstrap.weight.reshape(2000, 3).sum(1)
    total = sums.bootstrap.total.reshape(2000, 3, -1).sum(1)
    spread = (total / weight[:, None]).std(0)
    # 37 samples and 2,000 replicates: the ratio of two estimates of one error
    np.testing.assert_allclose(spread / found.standard_error[0], 1, atol=0.2)


def test_the_bootstrap_knows_an_unstable_ranking():
    """Few samples: replicates disagree; many: they agree."""
    few, many = (run(num_samples=n, batch_size=500, score="logit") for n in (10, 1000))

    assert many.stability[0] > 0.98 > few.stability[0]
    np.testing.assert_allclose(few.top_share.sum(1), 5)


def test_few_samples_give_no_warning_and_no_false_certainty():
    found = run(num_samples=4)
    assert list(found.num_samples) == [4, 2, 1, 1]
    assert np.isnan(found.standard_error[2]).all()
    assert np.isfinite(found.standard_error[:2]).all()


def test_rank_correlation_has_its_closed_form():
    a = np.asarray([[1.0, -2.0, 3.0, -4.0]])
    assert ranking.rank_correlation(a, -a)[0, 0] == pytest.approx(1)
    assert ranking.rank_correlation(a, a[:, ::-1])[0, 0] == pytest.approx(-1)


def test_an_unconditional_generator_is_ranked_by_the_classifiers_own_prediction():
    found = run(models=models(replace(CONFIG, num_classes=0)))
    assert found.accuracy[0] == 1
    assert found.num_samples[0] == NUM_SAMPLES


def test_margin_and_likelihood_have_their_closed_forms():
    logits, target = jnp.asarray([[1.0, 3.0, 2.0], [0.0, -1.0, 5.0]]), jnp.asarray([1, 0])
    np.testing.assert_allclose(outputs.margin_score(logits, target), [1, -5])
    expected = -np.log([1 + np.exp(-2) + np.exp(-1), 1 + np.exp(-1) + np.exp(5)])
    np.testing.assert_allclose(outputs.likelihood_score(logits, target), expected, rtol=1e-6)


def test_ranks_are_those_of_scipy():
    values = np.round(np.random.default_rng(0).normal(size=300), 1)  # many are equal
    for each in (values, np.append(values, np.nan), values[:0]):
        np.testing.assert_array_equal(ranking.average_ranks(each), scipy.stats.rankdata(each))
    poisson = scipy.stats.poisson.cdf(np.arange(9), 1.0).astype(np.float32)
    np.testing.assert_array_equal(ranking.POISSON_CDF, poisson)
