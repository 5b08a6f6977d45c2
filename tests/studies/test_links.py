"""Where the papers meet, on a generator whose failures and rare neurons are known."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import scipy
from sklearn.metrics import roc_auc_score

from ganfail_jax.analysis import links as analysis
from ganfail_jax.analysis.detection import detect
from ganfail_jax.analysis.outputs import Models
from ganfail_jax.analysis.rates import Rates, count_rates, low_rate
from ganfail_jax.analysis.starts import at_samples
from ganfail_jax.analysis.views import views_of
from ganfail_jax.errors import InputError
from ganfail_jax.jobs import Run
from ganfail_jax.latents import latents
from ganfail_jax.runtime import Sweep, data_mesh
from ganfail_jax.studies import activation_rates, links, rankings, subject
from ganfail_jax.types import Classifier, Generator, LayerInfo, dimension_names
from tests import tiny

RARE, COMMON = 1.5, 1.2  # look[0] and look[3] beyond these turn the image to the other class
STYLES = {"look": 6, "late": 4, "class": 1}
MADE, TESTED = 1000, 800  # samples of ranking and rates, and those that follow


def to_styles(params, z, label: Any = None, psi: Any = 1.0):
    return {"look": z[:, :6], "late": z[:, 6:], "class": 2 * label[:, 1:] - 1}


def draw(params, styles, edits, noise, noise_keys):
    """Dark or light images; the neurons of channel 0 are rare, those of other channels are not."""
    looks = styles["look"] - jnp.asarray([RARE, 0, 0, 0, 0, 0], jnp.float32)
    layer = jnp.broadcast_to(looks[:, None, None], (len(looks), 2, 2, 6))
    layer = edits["look"](layer) if edits and "look" in edits else layer
    most = layer.max((1, 2))
    turned = (most[:, 0] > 0) | (most[:, 3] > COMMON)
    light = jnp.where(turned, -0.5, 0.5) * styles["class"][:, 0]
    light += 0.02 * styles["late"].mean(axis=1)
    return jnp.broadcast_to(light[:, None, None, None], (len(looks), 2, 2, 1)), {"look": layer}


def toy():
    generator = Generator(
        z_dim=10,
        num_classes=2,
        image_shape=(2, 2, 1),
        layers={"look": LayerInfo(2, 6)},
        style_dims=STYLES,
        mapping=None,
        styles=to_styles,
        synthesis=draw,
    )

    def head(params, images):
        light = params * images.mean((1, 2, 3))
        return jnp.stack([-light, light], 1)

    classifier = Classifier((2, 2, 1), 2, ("dark", "light"), lambda p, x: x, head)
    own = subject.of_generator(generator, {}, "toy")
    return subject.with_classifiers(own, {"sign": (classifier, jnp.float32(8.0))})


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    studied, out = toy(), str(tmp_path_factory.mktemp("links") / "out")
    rates = activation_rates.make(
        studied.generator, ["look"], activation_rates.Settings(num_samples=MADE)
    )
    ranking = rankings.make(studied, rankings.Settings(num_samples=MADE, score=rankings.AUC))
    settings = links.Settings(num_samples=TESTED, top=2, moved=300, sets=("LR:0.3", "HR:0.3"))
    job = links.plan(studied, rates, ranking, settings, Run(batch_size=400, out=out))
    return job.run()


def drawn(indices):
    return np.asarray(latents(toy().models[0].generator, 0, indices).z)


@pytest.fixture(scope="module")
def looks():
    return drawn(MADE + jnp.arange(TESTED))


def wrong(looks):
    return (looks[:, 0] > RARE) | (looks[:, 3] > COMMON)


def test_a_move_along_the_rare_dimension_alone_activates_rare_neurons(finished, looks):
    moves = finished.summary["moves"]
    table = {row["dimension"]: row for row in moves["degrading"]}
    assert {*table} == {"look[0]", "look[3]"}
    start = looks[~wrong(looks), 0][:300]
    limit = np.quantile(looks[:, 0], 0.995)
    step = 2 * drawn(jnp.arange(MADE))[:, 0].std(ddof=1)
    change = 4.0 * (np.minimum(start + step, limit) > RARE)
    expected, error = change.mean(), change.std(ddof=1) / np.sqrt(300)
    entry = table["look[0]"]["change"]
    assert entry["value"] == pytest.approx(expected)
    half = 1.96 * error
    assert entry["interval95"] == pytest.approx([expected - half, expected + half], rel=5e-3)
    phi = scipy.special.ndtr  # of z below RARE, moved by 2; four standard errors
    assert expected / 4 == pytest.approx(1 - phi(RARE - 2) / phi(RARE), abs=0.11)
    assert table["look[3]"]["change"] == {"value": 0, "interval95": [0, 0]}
    for row in (*moves["opposite"], *moves["random"]):
        assert row["change"]["value"] == 0
    assert moves["mean"]["degrading_minus_random"]["value"] == pytest.approx(expected / 2)
    assert table["look[0]"]["misclassified_afterwards"] == pytest.approx(expected / 4)


def test_dimensions_that_cannot_change_the_layers_are_not_compared(finished):
    moves = finished.summary["moves"]
    assert moves["dimensions_that_reach"] == STYLES["look"]
    assert all(row["dimension"].startswith("look[") for row in moves["random"])


def test_areas_within_classes_are_those_of_sklearn(finished, looks):
    errors, score = finished.summary["errors"], 4 * (looks[:, 0] > RARE)
    np.testing.assert_array_equal(finished.arrays["score"], score)
    target, failed = (MADE + np.arange(TESTED)) % 2, wrong(looks)
    areas, pairs = [], []
    for each, name in enumerate(("dark", "light")):
        own = target == each
        areas.append(roc_auc_score(failed[own], score[own]))
        pairs.append(failed[own].sum() * (~failed[own]).sum())
        assert errors["classes"][name]["auc"]["value"] == pytest.approx(areas[-1])
        assert errors["classes"][name]["positive"] == failed[own].sum()
    pooled = errors["auc_within_classes"]["sum"]
    assert pooled["value"] == pytest.approx(np.average(areas, weights=pairs))
    assert pooled["interval95"][0] < pooled["value"] < pooled["interval95"][1]
    assert errors["auc"]["sum"]["value"] == pytest.approx(roc_auc_score(failed, score))


def test_ablation_turns_what_rare_neurons_turned(finished, looks):
    rare, random, common, _ = finished.summary["ablations"]
    only_rare = int(((looks[:, 0] > RARE) & (looks[:, 3] <= COMMON)).sum())
    assert rare["wrong"] == finished.summary["wrong"] == wrong(looks).sum()
    assert (rare["wrong_to_right"], rare["right_to_wrong"]) == (only_rare, 0)
    assert rare["mcnemar_p"] == pytest.approx(2 * 0.5**only_rare)  # all turn one way
    net = rare["net_share"]
    assert net["value"] == pytest.approx(only_rare / TESTED)
    assert net["interval95"][0] < net["value"] < net["interval95"][1]
    only_common = ((looks[:, 3] > COMMON) & (looks[:, 0] <= RARE)).sum()
    assert (common["wrong_to_right"], common["right_to_wrong"]) == (only_common, 0)
    assert random["set"] == "random, as many as LR:0.3"
    assert random["wrong_to_right"] < only_rare / 4  # a few of four neurons each
    one, other = random["wrong_to_right"], random["right_to_wrong"]
    expected = scipy.stats.binomtest(one, one + other).pvalue if one + other else 1
    assert random["mcnemar_p"] == pytest.approx(expected)


def test_the_control_ablates_as_many_neurons():
    """In the mean over samples: layer by layer, of those activated."""
    rng, shapes = np.random.default_rng(0), {"a": (4, 4, 8), "b": (8, 8, 6)}
    rates = Rates({name: rng.integers(0, 101, shape) for name, shape in shapes.items()}, 100)
    edits = analysis.as_many_at_random(links.parse_choice("LR:0.3"), rates, 0)(jnp.arange(320))
    for name, mask in low_rate(rates, 0.3).items():
        ones = jnp.ones((320, *mask.shape))
        share = rates.counts[name][mask].sum() / rates.counts[name].sum()
        zeroed = 1 - float(edits[name](ones).mean())
        error = np.sqrt(share * (1 - share) / ones.size)
        assert zeroed == pytest.approx(share, abs=5 * error)


@pytest.fixture(scope="module")
def noisy():
    """A tiny generator with noise of each sample, samples of it, and its LR neurons."""
    own = tiny.models()
    own = Models(own.generator.with_noise("random"), *own[1:])
    assert own.generator.noise == "random"
    sweep = Sweep(32, data_mesh())
    rates = count_rates(own.generator, own.generator_params, ["b0004/conv1"], 64, sweep)
    start = at_samples(views_of(own, 32, 3), np.arange(70, 90), truncation_psi=1.0)
    return own, low_rate(rates, 0.5), start, sweep


def test_samples_keep_their_noise(noisy):
    own, low, start, sweep = noisy
    moves, free = np.zeros((1, start.styles.shape[1]), np.float32), np.full(1, np.inf)
    limits = -free.repeat(moves.size), free.repeat(moves.size)
    still = analysis.moved(own, low, start, moves, limits, seed=3)
    counted = detect(
        own.generator, own.generator_params, low, 20, sweep, seed=3, first_index=70
    ).score
    assert np.ptp(counted)
    np.testing.assert_array_equal(still.score[0], counted)
    np.testing.assert_allclose(still.softmax[0], start.softmax, rtol=1e-5)


def test_later_layers_and_outputs_do_not_reach_a_layer(noisy):
    own, low, start, _ = noisy
    size = start.styles.shape[1]
    reaches = analysis.reaching(own, [*low], start, np.ones(size), 3)
    names = dimension_names(own.generator.style_dims)
    reached = {name.split("[")[0] for name, hit in zip(names, reaches, strict=True) if hit}
    assert reached == {"b0004/conv1"}
    constant = np.where(np.arange(size) % 2, 1.0, 0.0)
    assert not analysis.reaching(own, [*low], start, constant, 3)[::2].any()


BAD = [((), "there is no set of neurons"), (("random:0.3",), "random:0.3 is a control, not a set")]


@pytest.mark.parametrize(("sets", "message"), BAD)
def test_sets_that_are_none(sets, message):
    studied = toy()
    rates = activation_rates.make(studied.generator, ["look"])
    ranking = rankings.make(studied, rankings.Settings(score=rankings.AUC))
    with pytest.raises(InputError, match=message):
        links.plan(studied, rates, ranking, links.Settings(sets=sets))


def test_a_p_below_the_smallest_number_is_not_called_0():
    assert links.show_p(0.0) == "below 1e-300"
    assert links.show_p(2 * 0.5**38) == "7.3e-12"
