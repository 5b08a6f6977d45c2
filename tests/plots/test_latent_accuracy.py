"""Figures of accuracy against distance, redrawn from a saved result."""

import numpy as np
import pytest
from matplotlib import image

from ganfail_jax.analysis import latent_accuracy as latent
from ganfail_jax.plots import latent_accuracy as plots
from ganfail_jax.results import restore
from tests.analysis.made_up import make_ranking, make_samples


def saved(file, classes=3, classifiers=2, known=True):
    """What the arrays of a result are read back as; the last class has too few samples."""
    rng, n = np.random.default_rng(0), 200 * classes
    target = rng.integers(0, classes - 1, n)
    target[:5] = classes - 1
    styles = rng.normal(size=(n, 4))
    right = np.abs(styles[:, :classifiers].T) < 1.3
    groups = ("all", *map(str, range(classes)))
    ranking = make_ranking(rng.normal(size=(classes + 1, 4)), groups)
    made = latent.accuracy_curves(
        make_samples(styles, right, target),
        [ranking] * classifiers,
        2,
        latent.Binning(min_samples=10),
    )
    setting = latent.Setting(
        classifiers=[f"classifier-{m}" for m in range(classifiers)],
        classes=groups[1:],
        class_known=known,
        right_means="well classified",
        num_samples=n,
        top=2,
        dimensions=4,
    )
    arrays = {f"{n}_{field}": a for n, c in made.items() for field, a in c._asdict().items()}
    arrays |= setting._asdict()
    np.savez(file, allow_pickle=False, **{name: np.asarray(a) for name, a in arrays.items()})
    with np.load(file, allow_pickle=False) as loaded:
        arrays = dict(loaded)
    comparisons = {name: restore(latent.Curves, arrays, f"{name}_") for name in made}
    return comparisons, restore(latent.Setting, arrays)


@pytest.mark.parametrize(
    ("classes", "classifiers", "known"), [(3, 2, True), (3, 1, False), (30, 3, True)]
)
def test_figures_are_redrawn_from_the_arrays(classes, classifiers, known, tmp_path):
    comparisons, setting = saved(tmp_path / "result.npz", classes, classifiers, known)
    names = plots.draw(tmp_path, comparisons, setting, "classifier c on generator g")
    assert names == plots.FIGURES
    for name in names:
        pixels = image.imread(tmp_path / name)
        assert min(pixels.shape[:2]) > 250
        assert pixels.std() > 0.05


def test_of_many_classes_the_steepest_are_drawn(tmp_path):
    curves = saved(tmp_path / "result.npz", classes=30)[0]["classes"]
    drawn = plots._drawn_classes(curves)
    has = curves.samples.sum(axis=1) > 0
    assert len(drawn) == min(has.sum(), plots.MOST_CLASSES) == 20
    assert not has[29]
    left = np.setdiff1d(np.flatnonzero(has), drawn)
    assert curves.slope[drawn].max() <= curves.slope[left].min()
    assert (np.diff(drawn) > 0).all()


def test_classes_without_a_curve_are_named_and_none_make_no_figure(tmp_path):
    comparisons, setting = saved(tmp_path / "result.npz")
    curves = comparisons["classes"]
    assert "not drawn, too few samples for two points: 2" in plots._note(setting, curves)
    empty = curves._replace(samples=np.zeros_like(curves.samples))
    (tmp_path / "classes.png").touch()  # of a version that drew empty panels
    names = plots.draw(tmp_path, {**comparisons, "classes": empty}, setting, "c on g")
    assert [*names] == ["classifiers.png"]
    assert not (tmp_path / "classes.png").exists()
