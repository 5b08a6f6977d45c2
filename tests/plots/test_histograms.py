"""Figures of separation are drawn from a saved result alone, and show what is in it."""

import numpy as np
import pytest
from matplotlib import image

from ganfail_jax.analysis import separation
from ganfail_jax.plots import histograms as plots
from ganfail_jax.results import restore
from tests.analysis.test_separation import TOP, toy_ranking, toy_samples


def draw(folder, samples, group=0):
    """The figures of the arrays as `analyze.histograms` saves them; the arrays."""
    ranking = toy_ranking()
    found = separation.separate(ranking, samples, top=TOP)
    shown = separation.histograms(ranking, samples, group=group, panels=3, top=TOP)
    arrays = found._asdict() | {f"shown_{name}": a for name, a in shown._asdict().items()}
    file = folder / "result.npz"
    np.savez(file, allow_pickle=False, **{name: np.asarray(a) for name, a in arrays.items()})
    with np.load(file, allow_pickle=False) as loaded:
        arrays = dict(loaded)
    plots.draw(
        folder,
        restore(separation.Separation, arrays),
        restore(separation.Histograms, arrays, "shown_"),
        "classifier c on generator g",
        names=ranking.names,
        outcomes=("well", "wrong"),
        top=TOP,
    )
    return arrays


@pytest.mark.parametrize(
    ("rates", "group"), [((0.2, 0.2), 0), ((0.2, 0.2), 1), ((0.2, 0.0), 2)], ids=str
)
def test_figures_are_redrawn_even_of_a_class_that_never_fails(rates, group, tmp_path):
    draw(tmp_path, toy_samples(number=400, rates=rates), group)
    for name in plots.FIGURES:
        pixels = image.imread(tmp_path / name)
        assert min(pixels.shape[:2]) > 300
        assert pixels.std() > 0.05


def test_panels_have_a_number_an_arrow_and_both_counts(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(plots, "save", lambda figure, _: figures.append(figure))
    arrays = draw(tmp_path, toy_samples(number=400))
    above = [axes.get_title() for axes in figures[0].axes[:3]]
    for d, (title, sign) in enumerate(zip(above, "↑↓↑", strict=True)):
        assert title.startswith(f"s{d} {sign}\nAUC {arrays['auc'][0, d]:.2f} [")
    texts = [text.get_text() for text in figures[0].legends[0].get_texts()]
    right = int(arrays["shown_right"].sum())
    assert texts == [f"well (n = {right})", f"wrong (n = {400 - right})"]
    assert "significant 3 of 3 of the top" in figures[1].axes[0].get_title()


def test_both_populations_are_densities_over_the_same_bins(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(plots, "save", lambda figure, _: figures.append(figure))
    draw(tmp_path, toy_samples(number=400))
    filled = [patch.get_xy() for patch in figures[0].axes[0].patches[::2]]
    assert len(filled) == 2
    edges = [np.unique(xy[:, 0]) for xy in filled]
    np.testing.assert_allclose(edges[0], edges[1])
    width = edges[0][1] - edges[0][0]
    for xy in filled:
        heights = xy[1 : 2 * (len(edges[0]) - 1) : 2, 1]
        assert heights.sum() * width == pytest.approx(1)
