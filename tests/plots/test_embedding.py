"""The figure of the spaces is drawn from a saved result alone, and shows what is in it."""

import numpy as np
import pytest
from matplotlib import image

from ganfail_jax.analysis import embedding
from ganfail_jax.analysis.embedding import Embedding, Mapped
from ganfail_jax.plots import embedding as plots
from ganfail_jax.results import restore
from tests.analysis.test_embedding import toy


def saved(file, names, right=None):
    """What the arrays that `analyze.embed` saves are read back as."""
    space, samples = toy(100)
    samples = samples if right is None else samples._replace(right=right[None])
    noise = np.random.default_rng(0).normal(size=space.shape)
    spaces = {name: noise if name == "Z" else space for name in names}
    embedded = embedding.embed(spaces, samples, embedded=60, perplexity=5.0)
    mapped = Mapped(
        target=samples.target[:60],
        right=samples.right[0, :60],
        class_names=("cat", "dog"),
        outcomes=("well", "wrong"),
        labelled=True,
        num_samples=(int(samples.right.sum()), int((~samples.right).sum())),
    )
    arrays = embedded._asdict() | mapped._asdict()
    np.savez(file, allow_pickle=False, **{name: np.asarray(a) for name, a in arrays.items()})
    with np.load(file, allow_pickle=False) as loaded:
        return restore(Embedding, dict(loaded)), restore(Mapped, dict(loaded))


@pytest.mark.parametrize("names", [("Z", "W", "S"), ("Z", "S")], ids=str)
def test_the_figure_is_redrawn(names, tmp_path):
    embedded, mapped = saved(tmp_path / "result.npz", names)
    plots.draw(tmp_path, embedded, mapped, "classifier c on generator g")
    pixels = image.imread(tmp_path / plots.FIGURES[0])
    assert min(pixels.shape[:2]) > 600
    assert pixels.std() > 0.05


def test_panels_name_classes_where_they_lie_together(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(plots, "save", lambda figure, _: figures.append(figure))
    embedded, mapped = saved(tmp_path / "result.npz", ("Z", "S"))
    embedded.numbers[0, 0] = [0.3, 0.2, 0.4]
    plots.draw(tmp_path, embedded, mapped, "c")
    mixed, apart = figures[0].axes[:2]
    assert [text.get_text() for text in mixed.texts] == []
    assert [text.get_text() for text in apart.texts] == ["cat", "dog"]
    assert mixed.get_title() == "Z (3 dimensions)\nclass accuracy of k-NN 0.30 [0.20, 0.40]"
    counts = [int(mapped.right.sum()), int((~mapped.right).sum())]
    texts = [text.get_text() for text in figures[0].legends[0].get_texts()]
    assert texts == [f"well (n = {counts[0]})", f"wrong (n = {counts[1]})"]
    drawn = [len(dots.get_offsets()) for dots in figures[0].axes[3].collections]
    assert drawn == counts  # the misclassified last: on top


def test_nothing_misclassified_is_drawn_too(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(plots, "save", lambda figure, _: figures.append(figure))
    embedded, mapped = saved(tmp_path / "result.npz", ("Z", "S"), right=np.ones(100, bool))
    plots.draw(tmp_path, embedded, mapped, "c")
    assert figures[0].axes[2].get_title().startswith("outcome AUC of k-NN none\n")


@pytest.mark.parametrize("classes", [2, 10, 37])
def test_every_class_has_its_own_colour(classes):
    colours = plots.class_colours(classes)
    assert len({tuple(np.atleast_1d(c).tolist()) for c in colours}) == classes
