"""Figures are drawn from a saved result alone, and are real pictures."""

import numpy as np
import pytest
from matplotlib import image

from ganfail_jax.analysis import push
from ganfail_jax.analysis.ranking import Ranking
from ganfail_jax.analysis.views import views_of
from ganfail_jax.plots import ranking as plots
from ganfail_jax.plots.sheets import save_sheet, tile
from ganfail_jax.results import restore
from tests.analysis.test_ranking import run
from tests.tiny import models


@pytest.fixture(scope="module")
def redrawn(tmp_path_factory):
    found = run()
    grid = push.push_grid(views_of(models(), 250), found, top=3)
    file = tmp_path_factory.mktemp("plots") / "result.npz"
    pushed = {f"push_{name}": a for name, a in grid._asdict().items()}
    np.savez(
        file,
        allow_pickle=False,
        **{name: np.asarray(a) for name, a in (found._asdict() | pushed).items()},
    )
    with np.load(file, allow_pickle=False) as loaded:
        arrays = dict(loaded)
    return restore(Ranking, arrays), restore(push.PushGrid, arrays, "push_")


def test_a_ranking_is_redrawn_from_its_arrays(redrawn, tmp_path):
    ranking, pushed = redrawn
    plots.draw(tmp_path, ranking, pushed, "classifier c on generator g", "mean gradient")
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["classes.png", "push.png", "top_dimensions.png"]
    for name in files:
        pixels = image.imread(tmp_path / name)
        assert min(pixels.shape[:2]) > 300
        assert pixels.std() > 0.05


def test_a_sheet_shows_every_image_in_reading_order(tmp_path):
    images = np.linspace(-1, 1, 6, dtype=np.float32)[:, None, None, None] * np.ones((1, 2, 2, 1))
    sheet = tile(images.astype(np.float32), columns=4, scale=3)
    assert sheet.shape == (12, 24, 1)
    assert [int(sheet[0, 6 * i, 0]) for i in range(4)] == [0, 51, 102, 153]
    assert [int(sheet[6, 6 * i, 0]) for i in range(4)] == [204, 255, 0, 0]
    save_sheet(tmp_path / "sheet.png", images.astype(np.float32), columns=4)
    assert image.imread(tmp_path / "sheet.png").shape[:2] == (8, 16)
