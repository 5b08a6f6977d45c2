"""Figures of shifts and corner cases, from results alone; missing parts stay empty."""

import numpy as np
import pytest
from matplotlib import image

from ganfail_jax.analysis.corner_cases import CornerCases
from ganfail_jax.analysis.joint import JointMoves
from ganfail_jax.analysis.shift import ShiftGrid, Shown
from ganfail_jax.plots import corner_cases, shift
from ganfail_jax.results import restore

SHAPE = (8, 8, 1)


def check_picture(path, least):
    pixels = image.imread(path)
    assert min(pixels.shape[:2]) > least
    assert pixels.std() > 0.05


@pytest.mark.parametrize("channels", [1, 3])
def test_a_shift_grid(channels, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    shown = Shown(
        names=("b0004/conv1[0]", "b0008/conv0[3]"),
        class_names=("cat", "dog"),
        true_class=1,
        sample=17,
        chosen="given",
        start_style=np.zeros(6, np.float32),
        group="all",
        limit=20.0,
        conditional=False,
    )
    grid = ShiftGrid(
        dims=np.array([0, 3]),
        direction=np.array([1.0, -1.0]),
        std=np.array([0.5, 2.0]),
        reference=np.array([3.0, 20.0]),
        reached=np.array([True, False]),
        progress=np.array([0.0, 0.5, 1.0]),
        images=rng.uniform(-1, 1, (3, 2, 8, 8, channels)),
        softmax=rng.uniform(size=(3, 2)),
        predicted=np.array([[1, 1], [1, 1], [0, 1]]),
    )
    names = shift.draw(tmp_path, grid, shown, "classifier c on generator g")
    assert names == ("shift.png",)
    check_picture(tmp_path / "shift.png", 300)
    drawn = []
    monkeypatch.setattr(shift, "save", lambda figure, path: drawn.append(figure))
    shift.draw(tmp_path, grid, shown, "c on g")
    assert len(drawn[0].axes) == 3  # a column of three, for 0.50 is not reached along the other
    note = " ".join(drawn[0].get_supxlabel().split())
    assert note.endswith("not drawn, 0.50 not reached within 20 std: b0008/conv0[3]")


@pytest.fixture
def restored():
    """The arrays of a result, read back."""
    rng = np.random.default_rng(0)
    shown = np.array([[1, 2], [0, -1]])
    none = np.full((2, 3), np.nan)
    arrays = {
        "names": np.array([f"b0004/conv1[{i}]" for i in range(6)]),
        "class_names": np.array(["cat", "dog"]),
        "limit": np.array(20.0),
        "conditional": np.array(True),
        "start": np.array("its mean style"),
        "start_target": np.array([0, 1]),
        "start_samples": np.array([-1, -1]),
        "start_styles": np.zeros((2, 6), np.float32),
        "start_softmax": np.full((2, 3), 0.99),
        "start_images": rng.uniform(-1, 1, (2, *SHAPE)),
        "dims": np.array([[0, 1, 2], [3, 4, 5]]),
        "direction": np.array([[1.0, -1.0, 1.0], [1.0, 1.0, -1.0]]),
        "shift": np.array([[np.nan, 3.0, 4.0], [5.0, np.nan, np.nan]]),
        "softmax": np.array([[np.nan, 0.5, 0.5], [0.5, np.nan, np.nan]]),
        "instead": np.array([[-1, 1, 1], [0, -1, -1]]),
        "shown": shown,
        "images": rng.uniform(-1, 1, (2, 2, *SHAPE)),
        "joint_dims": np.array([[0, 1], [3, 4]]),
        "joint_length": np.array([2.0, np.nan]),
        "joint_single": np.array([3.0, np.nan]),
        "joint_random": np.array([[4.0, 5.0, np.nan, 9.0], [np.nan] * 4]),
        "joint_random_quartiles": np.array([[5.0, 9.0, np.inf], [np.inf] * 3]),
        "joint_softmax": np.array([0.5, np.nan]),
        "joint_instead": np.array([1, -1]),
        "joint_images": rng.uniform(-1, 1, (2, *SHAPE)),
        **dict.fromkeys(("raw", "below", "above", "joint_delta", "joint_above"), none),
        **dict.fromkeys(("predicted_below", "predicted_above"), np.full((2, 3), -1)),
    }
    moves = restore(JointMoves, arrays, "joint_")
    return restore(CornerCases, arrays), moves, restore(corner_cases.Shown, arrays)


def test_corner_cases_with_and_without_an_effect(restored, tmp_path):
    cases, moves, shown = restored
    names = corner_cases.draw(tmp_path, cases, moves, shown, "classifier c on generator g")
    assert names == ("corner_cases.png", "joint.png")
    for name in names:
        check_picture(tmp_path / name, 300)


def test_classes_without_images_are_left_out_and_counted(restored, tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(corner_cases, "save", lambda figure, path: figures.append(figure))
    cases, moves, shown = restored
    cases = cases._replace(start_images=cases.start_images[:1], images=cases.images[:1])
    moves = moves._replace(images=moves.images[:1])
    corner_cases.draw(tmp_path, cases, moves, shown, "classifier c on generator g")
    sheet, lengths = figures
    assert "first 1 of 2 classes" in sheet.get_suptitle()
    assert len(sheet.axes) == 1 * 4
    assert "first 1 of 2 classes" in " ".join(lengths.get_suptitle().split())
    assert [tick.get_text() for tick in lengths.axes[0].get_xticklabels()] == ["cat"]


def test_a_row_that_ends_early_says_why(restored, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(corner_cases, "save", lambda figure, path: drawn.append(figure))
    cases, moves, shown = restored
    corner_cases.sheet(tmp_path / "corner_cases.png", cases, moves, shown, "c on g")
    panels = np.reshape(drawn[0].axes, (2, 4))
    texts = [[text.get_text() for text in axes.texts] for axes in panels[:, 3]]
    assert texts == [[], ["no other\ndimension"]]
    assert panels[1, 1].texts[0].get_text() == "no joint move\nwithin 20 std"
    assert panels[0, 3].get_title() == "b0004/conv1[2]\n↑ 4.0 std\n0.50 → dog"
