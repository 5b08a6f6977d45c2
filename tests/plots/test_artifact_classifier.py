"""Figures of an artifact classifier: which there are, and what a mask leaves."""

import numpy as np

from ganfail_jax.plots import artifact_classifier as plots

RNG = np.random.default_rng(0)


def arrays(curve):
    found = {
        "confusion": np.asarray([[3, 1], [0, 6]]),
        "class_names": np.asarray(["artifact", "normal"]),
    }
    for kind, m in (("found", 2), ("missed", 0), ("false", 1)):
        found |= {
            f"{kind}_images": RNG.integers(0, 256, (m, 4, 4, 1), np.uint8),
            f"{kind}_masks": RNG.random((m, 4, 4)) > 0.5,
            f"{kind}_indices": np.arange(m),
            f"{kind}_scores": np.full(m, 0.5),
        }
    if curve:
        found["num_labels"] = np.asarray([25, 50])
        found |= {name: RNG.random((2, 1)) for name in ("accuracy", "auc")}
    return found


def test_there_is_a_curve_where_one_was_measured(tmp_path):
    for curve in (True, False):
        (tmp_path / str(curve)).mkdir()
        names = plots.draw(tmp_path / str(curve), arrays(curve), "made up")
        assert (plots.CURVE in names) == curve
        for name in names:
            assert (tmp_path / str(curve) / name).stat().st_size > 1000


def test_a_mask_leaves_what_is_inside():
    images = RNG.integers(0, 256, (2, 5, 4, 3), np.uint8)
    masks = RNG.random((2, 5, 4)) > 0.5
    found = plots._masked(images, masks).astype(int)
    np.testing.assert_array_equal(found[masks], images[masks])
    outside = found[~masks]
    np.testing.assert_array_less(abs(outside - plots.GREY), 128 * (1 - plots.GREYED) + 1)
    assert (abs(outside - plots.GREY) <= abs(images[~masks].astype(int) - plots.GREY)).all()
