"""Judged by SciPy's and scikit-learn's distances in float64, also where float32 products fail."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.neighbors import NearestNeighbors

from ganfail_jax.metrics import neighbours

RNG = np.random.default_rng(0)


def clouds(n=120, m=90, d=20):
    return RNG.normal(size=(n, d)).astype(np.float32), RNG.normal(0.3, 1, (m, d)).astype(np.float32)


def far_clouds():
    """Differences a ten-thousandth of the features: hopeless without centring."""
    x, y = clouds()
    return x + np.float32(1e4), y + np.float32(1e4)


def near_copies():
    """Clusters much tighter than the rounding error of a float32 product of centred features."""
    middles = 100 * RNG.normal(size=(4, 20))
    x, y = (
        (middles[np.arange(n) % 4] + 1e-3 * RNG.normal(size=(n, 20))).astype(np.float32)
        for n in (80, 60)
    )
    return x, y


def copies():
    x, y = clouds()
    return np.concatenate([x, x[:50], x[:1].repeat(9, axis=0)]), np.concatenate([y, x[:30]])


CASES = {
    "clouds": clouds,
    "far_clouds": far_clouds,
    "near_copies": near_copies,
    "copies": copies,
    "all_one_point": lambda: (np.ones((9, 3), np.float32), np.ones((7, 3), np.float32)),
}


@pytest.fixture(params=CASES, scope="module")
def sets(request):
    return CASES[request.param]()


def by_scipy(x, x_radii, y, y_radii, chosen):
    """(around_x, y_in_x, y_holds_x, ratio) from the whole matrix of distances."""
    distances = cdist(x.astype(np.float64), y.astype(np.float64))
    inside = distances <= y_radii * (1 + 1e-12)
    reach = np.where(chosen, y_radii, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.nan_to_num(reach / distances, nan=0.0, posinf=np.inf).max(axis=1)
    in_x = (distances <= x_radii[:, None] * (1 + 1e-12)).any(axis=0)
    return inside.sum(axis=1), in_x, inside.any(axis=0), ratio


@pytest.mark.parametrize("k", [1, 3, 5])
def test_radii_are_scikit_learns(sets, k):
    for x in sets:
        tree = NearestNeighbors(n_neighbors=k, algorithm="kd_tree").fit(x.astype(np.float64))
        expected, _ = tree.kneighbors()  # self excluded
        np.testing.assert_allclose(neighbours.radii(x, k), expected[:, -1], rtol=1e-12)


@pytest.mark.parametrize("pairs", [1, 1000, 2**24])
def test_balls_are_those_of_all_distances_whatever_the_block(sets, pairs, monkeypatch):
    monkeypatch.setattr(neighbours, "PAIRS", pairs)
    monkeypatch.setattr(neighbours, "PIECE", 64)
    x, y = sets
    x_radii, y_radii = neighbours.radii(x, 3), neighbours.radii(y, 3)
    chosen = y_radii <= np.median(y_radii)
    found = neighbours.balls(x, x_radii, y, y_radii, chosen)
    around, in_x, holds, ratio = by_scipy(x, x_radii, y, y_radii, chosen)
    np.testing.assert_array_equal(found.around_x, around)
    np.testing.assert_array_equal(found.y_in_x, in_x)
    np.testing.assert_array_equal(found.y_holds_x, holds)
    np.testing.assert_allclose(found.ratio, ratio, rtol=1e-6)


def test_float32_products_alone_would_be_wrong_for_near_copies():
    x, _ = near_copies()
    low, high = jax.device_get(neighbours._bounds(jnp.asarray(x), jnp.asarray(x)))
    true = cdist(x.astype(np.float64), x.astype(np.float64), "sqeuclidean")
    assert ((low <= true) & (true <= high)).all()
    own = np.arange(len(x)) % 4
    near = own[:, None] == own
    assert np.max(np.abs((low + high) / 2 - true)[near]) > true[near].max()


@pytest.mark.parametrize(("d", "scale"), [(1, 1.0), (64, 1.0), (2048, 1.0), (2048, 30.0)])
def test_bounds_hold(d, scale):
    x = np.maximum(RNG.normal(0, scale, (2, 200, d)), 0).astype(np.float32)
    low, high = jax.device_get(neighbours._bounds(jnp.asarray(x[0]), jnp.asarray(x[1])))
    true = cdist(x[0].astype(np.float64), x[1].astype(np.float64), "sqeuclidean")
    assert ((low <= true) & (true <= high)).all()
    apart = true > 0
    assert np.median((high - low)[apart] / true[apart]) < 1e-4  # tight enough for most pairs


def test_a_comparison_of_50k_and_60k_images_fits():
    """What the compiled blocks need beside both sets of features, twice: below 4 GB in all."""
    images, others, d = 60_000, 50_000, 2048
    rows = next(iter(neighbours._blocks(others, images))).stop
    shape = jax.ShapeDtypeStruct
    x, y = shape((rows, d), jnp.float32), shape((images, d), jnp.float32)
    reach, many = shape((rows,), jnp.float32), shape((images,), jnp.float32)
    own = shape((rows,), jnp.int32)
    lowered = [
        neighbours._nearest.lower(x, y, own, 8),
        neighbours._compare.lower(x, y, reach, many, many, 6),
    ]
    for each in lowered:
        memory = each.compile().memory_analysis()
        assert memory is not None
        beside = memory.temp_size_in_bytes + memory.output_size_in_bytes
        assert 2 * 4 * (images + others) * d + beside < 2.5e9


def test_unfit_sets_are_refused():
    x, _ = clouds()
    with pytest.raises(ValueError, match="120 points have no neighbour number 120"):
        neighbours.radii(x, 120)
    with pytest.raises(ValueError, match="no neighbour number 0"):
        neighbours.radii(x, 0)
    radii = np.ones(120)
    with pytest.raises(ValueError, match="must be finite"):
        neighbours.balls(x, radii, np.full_like(x, np.nan), radii, radii > 0)
