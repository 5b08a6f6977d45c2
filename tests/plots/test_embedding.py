"""The figure of the spaces is drawn from a saved result alone, and shows what is in it."""

import numpy as np
import pytest
from matplotlib import image

from ganfail_jax.analysis import embedding
from ganfail_jax.plots import embedding as plots
from tests.analysis.test_embedding import toy


def saved(file, names, right=None):
    """The arrays as `analyze.embed` saves them, read back."""
    space, samples = toy(100)
    samples = samples if right is None else samples._replace(right=right[None])
    noise = np.random.default_rng(0).normal(size=space.shape)
    spaces = {name: noise if name == "Z" else space for name in names}
    arrays = embedding.embed(spaces, samples, embedded=60, perplexity=5.0)._asdict() | {
        "target": samples.target[:60],
        "right": samples.right[0, :60],
        "class_names": ("cat", "dog"),
        "outcomes": ("well", "wrong"),
        "labelled": True,
        "num_samples": (samples.right.sum(), (~samples.right).sum()),
    }
    np.savez(file, allow_pickle=False, **{name: np.asarray(a) for name, a in arrays.items()})
    with np.load(file, allow_pickle=False) as loaded:
        return dict(loaded)


@pytest.mark.parametrize("names", [("Z", "W", "S"), ("Z", "S")], ids=str)
def test_the_figure_is_redrawn(names, tmp_path):
    plots.draw(tmp_path, saved(tmp_path / "result.npz", names), "classifier c on generator g")
    pixels = image.imread(tmp_path / plots.FIGURES[0])
    assert min(pixels.shape[:2]) > 600
    assert pixels.std() > 0.05


def test_panels_name_classes_where_they_lie_together(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(plots, "save", lambda figure, _: figures.append(figure))
    arrays = saved(tmp_path / "result.npz", ("Z", "S"))
    arrays["numbers"][0, 0] = [0.3, 0.2, 0.4]
    plots.draw(tmp_path, arrays, "c")
    mixed, apart = figures[0].axes[:2]
    assert [text.get_text() for text in mixed.texts] == []
    assert [text.get_text() for text in apart.texts] == ["cat", "dog"]
    assert mixed.get_title() == "Z (3 dimensions)\nclass accuracy of k-NN 0.30 [0.20, 0.40]"
    counts = [int(arrays["right"].sum()), int((~arrays["right"]).sum())]
    told = [text.get_text() for text in figures[0].legends[0].get_texts()]
    assert told == [f"well (n = {counts[0]})", f"wrong (n = {counts[1]})"]
    drawn = [len(dots.get_offsets()) for dots in figures[0].axes[3].collections]
    assert drawn == counts  # the misclassified last: on top


def test_nothing_misclassified_is_drawn_too(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(plots, "save", lambda figure, _: figures.append(figure))
    arrays = saved(tmp_path / "result.npz", ("Z", "S"), right=np.ones(100, bool))
    plots.draw(tmp_path, arrays, "c")
    assert figures[0].axes[2].get_title().startswith("outcome AUC of k-NN none\n")


@pytest.mark.parametrize("classes", [2, 10, 37])
def test_every_class_has_its_own_colour(classes):
    colours = plots.class_colours(classes)
    assert len({tuple(np.atleast_1d(c).tolist()) for c in colours}) == classes
