"""Figures of a comparison, redrawn from a saved result."""

import numpy as np
import pytest
from matplotlib import image
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ganfail_jax.analysis.comparison import Contrast, Shares, Sheet
from ganfail_jax.plots import comparison as plots
from ganfail_jax.results import restore


def saved(file, classifiers=2, channels=1, shown=10, only_first=3, known=True):
    """What the arrays of a result are read back as."""
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(classifiers, 40)) * np.asarray([1, 2, 3])[:classifiers, None]
    share = rng.uniform(0.4, 0.9, (classifiers, 4))
    share[:, 3] = np.nan  # a class without samples
    share = share if known else share[:, :1]
    contrast = Contrast(
        classifiers=[f"classifier-{m}" for m in range(classifiers)],
        groups=["all", "a", "b", "c"],
        dimensions=[f"b0008/conv0[{i}]" for i in range(40)],
        scores=scores,
        tops=np.argsort(-np.abs(scores), axis=1)[:, :8],
        unit="mean gradient of the true class's softmax per unit",
        class_known=known,
        right_means="well classified" if known else "sure (softmax at least 0.9)",
    )
    arrays = contrast._asdict() | {
        "group_samples": [300, 100, 200, 0],
        "group_share": share,
        "group_interval": share[..., None] + np.asarray([-0.05, 0.05]),
    }
    for other in range(1, classifiers):
        for key, n in (("first", only_first), ("other", shown)):
            arrays |= {
                f"sheet{other}_{key}_images": rng.uniform(-1, 1, (n, 8, 8, channels)),
                f"sheet{other}_{key}_predicted": rng.integers(0, 3, (n, 2)),
                f"sheet{other}_{key}_softmax": rng.random((n, 2)),
            }
    np.savez(file, allow_pickle=False, **{name: np.asarray(a) for name, a in arrays.items()})
    with np.load(file, allow_pickle=False) as loaded:
        arrays = dict(loaded)
    sheets = [
        (restore(Sheet, arrays, f"sheet{i}_first_"), restore(Sheet, arrays, f"sheet{i}_other_"))
        for i in range(1, classifiers)
    ]
    return restore(Shares, arrays, "group_"), restore(Contrast, arrays), sheets


@pytest.mark.parametrize(
    ("classifiers", "channels", "only_first", "known"), [(2, 1, 3, False), (3, 3, 0, True)]
)
def test_figures_are_redrawn_from_the_arrays(classifiers, channels, only_first, known, tmp_path):
    file = tmp_path / "result.npz"
    drawn = saved(file, classifiers, channels, only_first=only_first, known=known)
    names = plots.draw(tmp_path, *drawn, "classifiers on generator g")
    pairs = [
        f"{kind}_{i}.png" for i in range(1, classifiers) for kind in ("scores", "disagreements")
    ]
    assert list(names) == ["accuracy.png" if known else "sure.png", *pairs]
    for name in names:
        pixels = image.imread(tmp_path / name)
        assert min(pixels.shape[:2]) > 250
        assert pixels.std() > 0.05


def test_names_of_dimensions_do_not_overlap():
    """Points so close that not every name has room."""
    points = np.random.default_rng(1).normal(size=(40, 2)) * 0.1
    points[0] = 3  # far from the others: there is room for its name
    figure = Figure(figsize=(4, 4), layout="constrained")
    axes: Axes = figure.add_subplot()
    axes.scatter(*points.T)
    axes.margins(0.4)
    names = [f"b0008/conv0[{i}]" for i in range(40)]
    plots._label(axes, points, np.arange(40), np.arange(40), names)
    assert "b0008/conv0[0]" in [text.get_text() for text in axes.texts]
    assert 1 < len(axes.texts) < 40
    boxes = [text.get_window_extent() for text in axes.texts]
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:i])
        assert not any(box.contains(*axes.transData.transform(point)) for point in points)
