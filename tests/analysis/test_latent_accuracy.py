"""Accuracy against distance on made-up samples whose curves are known."""

import numpy as np
import pytest

from ganfail_jax.analysis import latent_accuracy as latent
from ganfail_jax.analysis.distance import Axis, axis
from ganfail_jax.analysis.latent_accuracy import Binning
from tests.analysis.made_up import make_ranking, make_samples

SLOPE = -0.06


def make_curves(distance, right, binning, counts):
    """Of distances from known centres."""
    return latent.make_curves([Axis(row) for row in distance], right, binning, counts)


def linear_fall(n=4000, seed=0):
    """Distances of 0 to 10 and outcomes whose probability falls from 1 by SLOPE per unit."""
    rng = np.random.default_rng(seed)
    distance = rng.uniform(0, 10, n)
    return distance, rng.random(n) < 1 + SLOPE * distance


def least_squares(x, y):
    """Slope and its standard error, by the textbook."""
    (slope, start), n = np.polyfit(x, y.astype(float), 1), len(x)
    spread = np.sum((y - start - slope * x) ** 2) / (n - 2)
    return slope, np.sqrt(spread / np.sum((x - x.mean()) ** 2))


@pytest.fixture(scope="module")
def counts():
    return latent.resampling(np.arange(4000), 0)


@pytest.fixture(scope="module")
def fall(counts):
    distance, right = linear_fall()
    return make_curves(distance[None], right[None], Binning(bins=10), counts)


def test_distance_is_euclidean_in_standard_deviations():
    rng = np.random.default_rng(1)
    styles, unit = rng.normal(size=(30, 5)), np.asarray([1.0, 2.0, 0.5, 0.0, 3.0])
    right = rng.random(30) < 0.7
    expected = []
    for i, x in enumerate(styles):
        others = [y for j, y in enumerate(styles) if right[j] and j != i]
        centre = [np.mean([y[j] for y in others]) for j in range(5)]
        expected.append(sum(((x[j] - centre[j]) / unit[j]) ** 2 for j in (0, 2)) ** 0.5)
    found = axis(styles, right, np.asarray([2, 3, 0]), unit).distance
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert np.isnan(axis(styles, np.zeros(30, bool), np.arange(5), unit).distance).all()
    assert np.isnan(axis(styles, right, np.arange(0), unit).distance).all()


def test_outcomes_that_have_nothing_to_do_with_styles_make_no_slope(counts):
    """In many dimensions, a centre pulled by the samples that it is compared with makes one."""
    rng, slopes, pulled = np.random.default_rng(2), [], []
    n, dimensions = 100, 1000
    for _ in range(20):
        styles, right = rng.normal(size=(n, dimensions)), rng.random(n) < 0.7
        distance = axis(styles, right, np.arange(dimensions), np.ones(dimensions)).distance
        naive = np.linalg.norm(styles - styles[right].mean(axis=0), axis=1)
        rows = np.stack([distance, naive]), np.stack([right, right])
        found = make_curves(*rows, Binning(bins=1), counts[:n, :2])
        slopes.append(found.slope[0])
        pulled.append(found.slope[1])
    error = np.std(slopes, ddof=1) / np.sqrt(len(slopes))
    assert abs(np.mean(slopes)) < 3 * error
    assert np.mean(pulled) < -9 * error


def test_sparse_bins_are_dropped_at_the_far_end_and_pooled_elsewhere():
    sizes = [1, 3, 5, 2, 6, 4, 3, 0, 2, 1]  # in bins of width one
    distance = np.repeat(np.arange(10) + 0.5, sizes)
    distance[0], distance[-1] = 0, 10
    edges = latent.bin_edges(distance, Binning("width", 10, 4))
    np.testing.assert_allclose(edges, [0, 2, 3, 5, 6])
    assert len(latent.bin_edges(distance, Binning("width", 10, 7))) == 1
    assert len(latent.bin_edges(distance[:0], Binning())) == 1
    assert len(latent.bin_edges(np.ones(99), Binning("width", 4, 99))) == 2


def test_no_bin_left_has_too_few_samples():
    distance = np.random.default_rng(3).chisquare(5, 700)
    for kind in latent.BINNINGS:
        edges = latent.bin_edges(distance, Binning(kind, 20, 30))
        assert np.histogram(distance, edges)[0].min() >= 30


def test_bins_of_equal_numbers(counts):
    distance, right = linear_fall()
    curves = make_curves(distance[None], right[None], Binning("quantile", 8), counts)
    np.testing.assert_array_equal(curves.samples, [[500] * 8])


def test_points_are_the_means_of_their_bins(fall):
    distance, right = linear_fall()
    width = np.ptp(distance) / 10
    for b in range(10):
        own = (distance - distance.min()) // width == b
        if b == 9:
            own |= distance == distance.max()
        assert fall.samples[0, b] == own.sum()
        assert fall.distance[0, b] == pytest.approx(distance[own].mean())
        assert fall.accuracy[0, b] == pytest.approx(right[own].mean())
        assert fall.interval[0, b, 0] < right[own].mean() <= fall.interval[0, b, 1]


def test_the_slope_is_that_of_least_squares(fall):
    distance, right = linear_fall()
    slope, error = least_squares(distance, right)
    assert fall.slope[0] == pytest.approx(slope)
    low, high = fall.slope_interval[0]
    assert low < SLOPE < high
    # outcomes near the centre vary less, so that the error is not exactly the textbook's
    assert high - low == pytest.approx(2 * 1.96 * error, rel=0.2)
    assert (fall.rises[0], fall.clear_rises[0]) == (0, 0)


def test_samples_beyond_the_last_bin_are_not_drawn_but_count(counts):
    distance, right = linear_fall()
    distance, right = distance.copy(), right.copy()
    distance[:20], right[:20] = 12.0, True
    found = make_curves(distance[None], right[None], Binning(bins=12), counts)
    assert found.samples.sum() == np.sum(distance < 11)
    assert found.slope[0] == pytest.approx(least_squares(distance, right)[0])


def test_slope_and_area_do_not_depend_on_the_number_of_samples():
    """Over the bins drawn, the slope of 300 samples was half of that of 6,000."""
    rng, means = np.random.default_rng(6), []
    for n, repeats in ((300, 200), (6_000, 20)):
        found = []
        for _ in range(repeats):
            distance = np.linalg.norm(rng.normal(size=(n, 3)), axis=1)
            right = rng.random(n) < 1 / (1 + np.exp(2 * (distance - 3.2)))
            counts, binning = np.ones((n, 2), np.uint8), Binning(min_samples=10)
            curves = make_curves(distance[None], right[None], binning, counts)
            found.append([curves.slope[0], curves.area[0]])
        means.append((np.mean(found, axis=0), np.std(found, axis=0) / np.sqrt(repeats)))
    (few, few_error), (many, many_error) = means
    assert (np.abs(few - many) < 4 * np.hypot(few_error, many_error)).all()
    assert (few_error < 0.03 * np.abs(many)).all()


def test_replicates_have_the_distances_from_their_own_centre():
    rng = np.random.default_rng(7)
    styles, right = rng.normal(3, 2, (40, 6)), rng.random(40) < 0.6
    unit, counts = np.asarray([1.0, 2, 0.5, 0, 3, 1]), rng.poisson(1, (40, 5))
    found = axis(styles, right, np.arange(6), unit)
    kept = unit > 0
    assert found.refit is not None
    replicas = found.refit(counts.astype(np.float32))
    once = found.refit(np.ones((40, 1), np.float32))
    np.testing.assert_allclose(once[:, 0], found.distance, rtol=1e-5)
    for r in range(5):
        for i in range(40):
            weights = counts[:, r] * right * (np.arange(40) != i)
            centre = weights @ styles / weights.sum()
            expected = np.linalg.norm(((styles[i] - centre) / np.where(kept, unit, 1))[kept])
            assert replicas[i, r] == pytest.approx(expected, rel=1e-4)


def test_intervals_of_slope_and_area_cover_what_is_expected_of_them():
    """Of 60 samples in 10 dimensions the centre matters: it moves by a seventh of the distances."""
    rng, n, d, repeats = np.random.default_rng(8), 60, 10, 300
    every, found = np.arange(d), []
    for _ in range(repeats):
        styles = rng.normal(size=(n, d))
        right = rng.random(n) < 1 / (1 + np.exp(2 * (np.linalg.norm(styles, axis=1) - 3.5)))
        counts = np.concatenate([np.ones((n, 1)), rng.poisson(1, (n, 200))], axis=1)
        own = axis(styles, right, every, np.ones(d))
        made = latent.make_curves([own], right[None], Binning(bins=1), counts.astype(np.uint8))
        found.append(np.stack([each[0] for each in _numbers(made)]))
    for number in range(2):
        values, low, high = np.transpose(np.asarray(found)[:, number])
        covered = (low <= values.mean()) & (values.mean() <= high)
        assert (
            covered.mean() > 0.95 - 4 * 0.0126
        )  # percentiles of 200 replicates are a little short


def _numbers(curves):
    for name in ("slope", "area"):
        yield np.column_stack([getattr(curves, name), getattr(curves, f"{name}_interval")])


def test_areas_are_over_the_range_that_all_curves_cover(counts):
    distance, right = linear_fall()
    far = np.where(distance > 4, distance, np.nan)
    curves = make_curves(np.stack([distance, far]), np.stack([right, right]), Binning(), counts)
    low, high = curves.common_range
    ends = [np.quantile(x, latent.RANGE) for x in (distance, distance[distance > 4])]
    assert (low, high) == pytest.approx((ends[1][0], ends[0][1]))
    for c in range(2):
        assert (
            curves.area_interval[c, 0] < 1 + SLOPE * (low + high) / 2 < curves.area_interval[c, 1]
        )
    apart = np.stack([np.where(distance < 3, distance, np.nan), far])
    found = make_curves(apart, np.stack([right, right]), Binning(), counts)
    assert np.isnan(found.common_range).all()
    assert np.isnan(found.area).all()
    assert np.isfinite(found.slope).all()


def test_a_paired_difference_is_surer_than_two_curves(counts):
    """The second classifier fails where the first does, and on a few more of the far samples."""
    distance, right = linear_fall()
    worse = right & ~((distance > 5) & (np.random.default_rng(4).random(4000) < 0.1))
    found = make_curves(np.stack([distance, distance]), np.stack([right, worse]), Binning(), counts)
    for key in ("slope", "area"):
        values = getattr(found, key)
        low, high = getattr(found, f"{key}_difference_interval")[1]
        assert low < values[1] - values[0] < high < 0
        assert getattr(found, f"{key}_difference")[1] == pytest.approx(values[1] - values[0])
        assert (getattr(found, f"{key}_difference_interval")[0] == 0).all()
        alone = np.hypot(*np.ptp(getattr(found, f"{key}_interval"), axis=1))
        assert high - low < 0.5 * alone


def test_rises_are_told_from_noise(counts):
    distance = np.tile(np.arange(4) + 0.5, 1000)
    share = np.asarray([0.8, 0.5, 0.9, 0.91])
    right = (np.arange(4000) // 4 + 0.5) / 1000 < share[np.arange(4000) % 4]
    found = make_curves(distance[None], right[None], Binning(bins=4), counts)
    np.testing.assert_allclose(found.accuracy[0], share)
    assert (found.rises[0], found.clear_rises[0]) == (2, 1)


def test_a_curve_without_enough_samples_is_empty_and_bothers_no_other(counts):
    distance, right = linear_fall()
    few = np.where(np.arange(4000) < 49, distance, np.nan)
    none = np.full(4000, np.nan)
    alone = make_curves(distance[None], right[None], Binning(), counts)
    found = make_curves(np.stack([distance, few, none]), np.stack([right] * 3), Binning(), counts)
    assert not found.samples[1:].any()
    assert np.isnan(found.slope[1:]).all()
    assert np.isnan(found.area[1:]).all()
    assert (found.slope[0], found.area[0]) == (alone.slope[0], alone.area[0])


def test_a_bin_that_a_replicate_left_empty_has_no_accuracy_there():
    """Were it 0, the interval of samples that are all right would reach below 1."""
    distance, right = np.asarray([0.0, 1.0, 1.0, 2.0]), np.ones(4, bool)
    counts = latent.resampling(np.arange(4), 0)
    assert (counts == 0).mean() > 0.3
    found = make_curves(distance[None], right[None], Binning(bins=2, min_samples=1), counts)
    assert found.samples.tolist() == [[1, 3]]
    np.testing.assert_allclose(found.area_interval, 1)
    np.testing.assert_allclose(found.slope_interval, 0, atol=1e-12)


@pytest.fixture(scope="module")
def two_classes():
    """Class 0 around 0 and class 1 around 8; the classifiers fail by dimensions 0 and 1.

    The top of the classifiers' rankings is 0 and 1; of class 0, 2 and 3; of class 1, 4 and 5.
    """
    rng = np.random.default_rng(5)
    target = np.arange(1200) % 2
    styles = rng.normal(size=(1200, 6)) + 8 * target[:, None]
    move = np.abs(styles - 8 * target[:, None])
    right = np.stack([move[:, 0] < 1.5, move[:, 1] < 1.0])
    scores = np.ones((2, 3, 6)) * 0.01
    for classifier in range(2):
        for group in range(3):
            scores[classifier, group, 2 * group + classifier] = 1
    return make_samples(styles, right, target), [make_ranking(score) for score in scores]


def test_every_comparison_measures_its_own_distance(two_classes):
    samples, rankings = two_classes
    styles, unit = samples.styles.astype(np.float64), samples.styles.std(axis=0)
    (a, b), every = samples.right, np.ones(1200, bool)
    first = samples.target == 0

    def mean_distance(dims, centre, own):
        inside = (centre & own).astype(float)
        others = inside[None] * (1 - np.eye(1200))  # a row of weights for every sample
        middles = others @ styles / others.sum(axis=1, keepdims=True)
        squares = ((styles - middles) / unit)[own][:, dims] ** 2
        return np.sqrt(squares.sum(axis=1)).mean()

    all_dims = range(6)
    shared = mean_distance([0, 1], a & b, every)
    by_class = (mean_distance([2, 3], a & b, first) + mean_distance([4, 5], a & b, ~first)) / 2
    expected = {
        "own": [mean_distance([0], a, every), mean_distance([1], b, every)],
        "own_all": [mean_distance(all_dims, a, every), mean_distance(all_dims, b, every)],
        "shared": [shared, shared],
        "shared_class": [by_class, by_class],
        "classes": [mean_distance([2], a, first), mean_distance([4], a, ~first)],
        "classes_all": [mean_distance(all_dims, a, own) for own in (first, ~first)],
    }
    found = latent.accuracy_curves(samples, rankings, 1, Binning(bins=1))  # one point: the mean
    assert list(found) == list(expected) == list(latent.COMPARISONS)
    for name, curves in found.items():
        np.testing.assert_allclose(curves.distance[:, 0], expected[name], rtol=1e-6, err_msg=name)
        hits = [a[first].mean(), a[~first].mean()] if "classes" in name else [a.mean(), b.mean()]
        np.testing.assert_allclose(curves.accuracy[:, 0], hits, err_msg=name)


def test_shared_axes_give_a_sample_one_distance(two_classes):
    samples, rankings = two_classes
    found = latent.accuracy_curves(samples, rankings, 0, Binning(min_samples=20))
    for name in ("shared", "shared_class"):
        np.testing.assert_array_equal(*found[name].distance)
        np.testing.assert_array_equal(*found[name].samples)
        # the second fails from a deviation of 1 on, the first from 1.5 on
        assert found[name].area_difference_interval[1, 1] < 0


def test_one_classifier_alone_and_all_dimensions(two_classes):
    samples, rankings = two_classes
    alone = samples._replace(right=samples.right[:1], logits=samples.logits[:1])
    found = latent.accuracy_curves(alone, rankings[:1], 0, Binning(min_samples=20))
    assert list(found) == ["own", "own_all", "shared_class", "classes", "classes_all"]
    for part, whole in (("own", "own_all"), ("classes", "classes_all")):
        for a, b in zip(found[part], found[whole], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6)  # replicates are in float32


def test_a_class_that_is_never_right_has_no_curve(two_classes):
    samples, rankings = two_classes
    right = samples.right & (samples.target == 0)
    found = latent.accuracy_curves(
        samples._replace(right=right), rankings, 2, Binning(min_samples=20)
    )
    assert list(found["classes"].samples.sum(axis=1) > 0) == [True, False]
    assert found["shared_class"].samples.sum() > 0


def test_a_class_that_a_ranking_has_not_seen_has_no_top_dimensions(two_classes):
    samples, (first, second) = two_classes
    unseen = second._replace(num_samples=np.asarray([10, 0, 10]))
    settings = (1, Binning(min_samples=20))
    whole = latent.accuracy_curves(samples, [first, second], *settings)
    found = latent.accuracy_curves(samples, [first, unseen], *settings)
    assert whole["shared_class"].samples.sum() > 2 * (samples.target == 1).sum()
    assert 0 < found["shared_class"].samples.sum() <= 2 * (samples.target == 1).sum()
    np.testing.assert_array_equal(found["classes"].samples, whole["classes"].samples)
    alone = latent.accuracy_curves(samples, [unseen, first], *settings)
    assert list(alone["classes"].samples.sum(axis=1) > 0) == [False, True]
    assert alone["classes_all"].samples.any(axis=1).all()


def test_a_summary_has_the_curves_that_exist(two_classes):
    samples, rankings = two_classes
    right = samples.right & (samples.target == 0)
    curves = latent.accuracy_curves(
        samples._replace(right=right), rankings, 2, Binning(min_samples=20)
    )["classes"]
    found = curves.summary(["a", "b"])
    assert list(found["curves"]) == ["a"]
    assert found["curves"]["a"]["samples"] == curves.samples[0].sum()
    assert found["curves"]["a"]["slope_interval95"] == curves.slope_interval[0].tolist()
    assert found["common_range"] == curves.common_range.tolist()


def test_the_smallest_areas_come_first_and_none_last():
    areas = {"a": 0.9, "b": None, "c": 0.2, "d": float("nan"), "e": 0.5}
    curves = {name: {"area": area} for name, area in areas.items()}
    assert latent.by_area(curves) == ["c", "e", "a", "b", "d"]


def test_what_distance_means_names_its_dimensions():
    assert "own top 100 dimensions" in latent.explain("own", 100, 640)
    assert "own all 640 dimensions" in latent.explain("own", 0, 640)
    assert "all 640 dimensions" in latent.explain("classes_all", 100, 640)
