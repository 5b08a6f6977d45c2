"""Words for dimensions, on a generator whose dimensions are brightness, blur and position."""

import functools

import jax.numpy as jnp
import numpy as np
import pytest
import scipy

from ganfail_jax.analysis import descriptions
from ganfail_jax.analysis.attributes import EVERY
from ganfail_jax.analysis.descriptions import Effects
from ganfail_jax.analysis.outputs import Models
from ganfail_jax.analysis.views import views_of
from ganfail_jax.types import Classifier, Generator, LayerInfo

SIDE = 40
NAMES = ("brightness", "blur", "position", "position too", "nothing")


def draw(params, styles, edits, noise, noise_keys):
    """A disc on black: dimensions are called NAMES, each about standard normal."""
    look = jnp.clip(styles["look"], -3, 3)
    rows, columns = jnp.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    shift = (look[:, 2] + look[:, 3])[:, None, None]
    distance = jnp.hypot(rows[None], columns[None] - shift)
    width = (0.5 + 0.3 * (look[:, 1] + 3))[:, None, None]
    inside = 1 / (1 + jnp.exp((distance - 6) / width))
    bright = (0.6 + 0.12 * look[:, 0])[:, None, None]
    return (2 * inside * bright - 1)[..., None], {}


@functools.cache
def views():
    generator = Generator(
        z_dim=len(NAMES),
        num_classes=2,
        image_shape=(SIDE, SIDE, 1),
        layers={"look": LayerInfo(SIDE, 1)},
        style_dims={"look": len(NAMES)},
        mapping=None,
        styles=lambda params, z, label=None, psi=1.0: {"look": z},
        synthesis=draw,
    )

    # dark images are of class 0, so that half of all samples, whose class is by index, are right
    def head(params, images):
        light = params * (images.mean((1, 2, 3)) + 0.9)
        return jnp.stack([jnp.zeros_like(light), light], 1)

    classifier = Classifier((SIDE, SIDE, 1), 2, ("dark", "light"), lambda p, x: x, head)
    return views_of(Models(generator, {}, classifier, jnp.float32(8.0)), 100)


@pytest.fixture(scope="module")
def measured():
    own = views()
    population = descriptions.population(own, 400, first_index=0)
    start = population.samples.take(np.flatnonzero(population.right)[:100])
    std = population.samples.styles.std(axis=0)
    moves = np.diag(2 * std).astype(np.float32)
    effects, pairs = descriptions.effects(own, population, start, moves, std, shown=3)
    return population, start, effects, pairs, moves


def words(measured, move):
    population, _, effects, *_ = measured
    named = descriptions.standing_out(effects, 0.2)[move]
    return descriptions.phrase(population.attributes, effects.change[move], named)


def test_words_are_those_of_the_construction(measured):
    assert words(measured, 0).startswith("brighter by ")
    assert words(measured, 2).startswith("further right by ")
    assert words(measured, 4) == "no simple word"


def test_blur_makes_edges_less_steep_and_discs_larger(measured):
    population, _, effects, *_ = measured
    change = dict(
        zip([each.name for each in population.attributes], effects.change[1], strict=True)
    )
    assert change["sharpness"] < -1
    assert change["area"] > 1.5
    assert abs(change["horizontal position"]) < 0.05


def test_changes_count_in_standard_deviations(measured):
    """Position varies by two dimensions: one of them, moved by 2, moves it by 2 / sqrt(2), a little
    less where the move is cut at the observed range."""
    population, _, effects, *_ = measured
    column = [each.name for each in population.attributes].index("horizontal position")
    assert effects.change[2, column] == pytest.approx(np.sqrt(2), abs=0.15)
    assert effects.moved[2] == pytest.approx(1.9, abs=0.1)


def test_moves_stay_in_the_observed_range(measured):
    population, start, _, _, moves = measured
    for move in (10 * moves[0], -10 * moves[2]):
        styles = descriptions.within(start.styles, move, (population.low, population.high))
        dims = np.flatnonzero(move)
        low = np.minimum(population.low, start.styles)[:, dims]
        high = np.maximum(population.high, start.styles)[:, dims]
        assert (styles[:, dims] >= low).all()
        assert (styles[:, dims] <= high).all()
        others = np.flatnonzero(move == 0)
        assert np.array_equal(styles[:, others], start.styles[:, others])


def test_dimensions_that_do_the_same_are_one_failure_mode(measured):
    _, _, effects, *_ = measured
    named = descriptions.standing_out(effects, 0.2)
    modes = descriptions.failure_modes(effects, named, 0.8)
    assert sorted(map(sorted, modes[:-1])) == [[0], [1], [2, 3]]
    assert modes[-1] == [4]  # without a word
    loss = [effects.softmax[mode, 0].sum() for mode in modes[:-1]]
    assert loss == sorted(loss)


def test_softmax_and_pairs_are_those_of_the_images(measured):
    population, start, effects, pairs, moves = measured
    own = views()
    styles = descriptions.within(start.styles, moves[0], (population.low, population.high))
    after = scipy.special.softmax(own.logits(styles), axis=1)
    before = scipy.special.softmax(own.logits(start.styles), axis=1)
    rows = np.arange(len(styles))
    change = (after - before)[rows, start.target]
    assert effects.softmax[0, 0] == pytest.approx(change.mean(), abs=1e-6)
    assert effects.softmax[0, 1] == pytest.approx(change.std(ddof=1) / 10, abs=1e-6)
    assert effects.broken[0] == pytest.approx((after.argmax(1) != start.target).mean())
    assert pairs.softmax[0, 0, 1] - pairs.softmax[0, 0, 0] == pytest.approx(change.min(), abs=1e-6)
    assert {*pairs.target[0, :2]} == {0, 1}
    assert pairs.before.shape == (5, 3, SIDE, SIDE, 1)


def test_a_move_of_nothing_changes_nothing(measured):
    _, _, effects, pairs, _ = measured
    assert not effects.change[4].any()
    assert not effects.maps[4].any()
    assert np.array_equal(pairs.before[4], pairs.after[4])


def test_misclassified_samples_are_compared_within_their_class(measured):
    """Dark images of class 1 and light ones of class 0 are wrong: the differences cancel between
    the classes, but not within one."""
    population, *_ = measured
    one = population.samples.target == 1
    samples = population.samples.take(one)
    here = population._replace(
        samples=samples, right=population.right[one], values=population.values[one]
    )
    found = descriptions.contrast(here)
    assert found.num_samples == (here.right.sum(), (~here.right).sum())
    values = here.values / here.spread
    change = values[~here.right].mean(axis=0) - values[here.right].mean(axis=0)
    np.testing.assert_allclose(found.change[0], change)
    test = scipy.stats.ttest_ind(values[~here.right], values[here.right], equal_var=False)
    np.testing.assert_allclose(found.change[0] / found.error[0], test.statistic)
    named = descriptions.standing_out(found, 0.2)[0]
    assert descriptions.phrase(here.attributes, found.change[0], named).startswith("darker by ")


def test_without_failures_there_is_no_contrast(measured):
    population, *_ = measured
    right = population._replace(right=np.ones_like(population.right))
    found = descriptions.contrast(right)
    assert np.isnan(found.change).all()
    assert descriptions.standing_out(found, 0.1) == [[]]


def test_chance_gives_few_words():
    """Of changes that are all 0 in truth, 2.5 % of 200 sets of 50 have a word (Bonferroni)."""
    rng = np.random.default_rng(0)
    sets = 0
    for _ in range(200):
        change = rng.normal(scale=0.5, size=(10, 5))
        none = np.zeros(10)
        effects = Effects(
            none,
            change,
            np.full((10, 5), 0.5),
            none[:, None],
            none[:, None],
            none,
            none[:, None, None],
        )
        sets += any(descriptions.standing_out(effects, 0.1))
    assert sets <= 18  # 95 % quantile of Binomial(200, 0.05) is 15; 99.9 % 20


def test_words_follow_the_sign():
    change = np.asarray([0.5, -0.25, 0.0, -1.0])
    text = descriptions.phrase(EVERY, change, [3, 0, 1])
    assert text == "more blurred by 1.00 sd, brighter by 0.50 sd, less contrast by 0.25 sd"
