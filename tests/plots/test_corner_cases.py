"""Figures of shifts and corner cases, from arrays alone; missing parts stay empty."""

import numpy as np
import pytest
from matplotlib import image

from ganfail_jax.plots import corner_cases, shift

SHAPE = (8, 8, 1)


def check_picture(path, least):
    pixels = image.imread(path)
    assert min(pixels.shape[:2]) > least
    assert pixels.std() > 0.05


@pytest.mark.parametrize("channels", [1, 3])
def test_a_shift_grid(channels, tmp_path):
    rng = np.random.default_rng(0)
    arrays = {
        "names": np.array(["b0004/conv1[0]", "b0008/conv0[3]"]),
        "class_names": np.array(["cat", "dog"]),
        "true_class": np.array(1),
        "sample": np.array(17),
        "group": np.array("all"),
        "chosen": np.array("given"),
        "conditional": np.array(False),
        "direction": np.array([1.0, -1.0]),
        "std": np.array([0.5, 2.0]),
        "reference": np.array([3.0, 20.0]),
        "reached": np.array([True, False]),
        "progress": np.array([0.0, 0.5, 1.0]),
        "images": rng.uniform(-1, 1, (3, 2, 8, 8, channels)),
        "softmax": rng.uniform(size=(3, 2)),
        "predicted": np.array([[1, 1], [1, 1], [0, 1]]),
    }
    assert shift.draw(tmp_path, arrays, "classifier c on generator g") == ("shift.png",)
    check_picture(tmp_path / "shift.png", 300)


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    shown = np.array([[1, 2], [0, -1]])
    return {
        "names": np.array([f"b0004/conv1[{i}]" for i in range(6)]),
        "class_names": np.array(["cat", "dog"]),
        "limit": np.array(20.0),
        "conditional": np.array(True),
        "start": np.array("its mean style"),
        "start_target": np.array([0, 1]),
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
    }


def test_corner_cases_with_and_without_an_effect(arrays, tmp_path):
    names = corner_cases.draw(tmp_path, arrays, "classifier c on generator g")
    assert names == ("corner_cases.png", "joint.png")
    for name in names:
        check_picture(tmp_path / name, 300)


def test_classes_without_images_are_left_out_and_counted(arrays, tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(corner_cases, "save", lambda figure, path: figures.append(figure))
    fewer = {name: arrays[name][:1] for name in ("start_images", "images", "joint_images")}
    corner_cases.draw(tmp_path, arrays | fewer, "classifier c on generator g")
    sheet, lengths = figures
    assert "first 1 of 2 classes" in sheet.get_suptitle()
    assert len(sheet.axes) == 1 * 4
    assert "first 1 of 2 classes" in lengths.axes[0].get_title()
    assert [tick.get_text() for tick in lengths.axes[0].get_xticklabels()] == ["cat"]


def test_a_row_that_ends_early_says_why(arrays, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(corner_cases, "save", lambda figure, path: drawn.append(figure))
    corner_cases.sheet(tmp_path / "corner_cases.png", arrays, "classifier c on generator g")
    panels = np.reshape(drawn[0].axes, (2, 4))
    told = [[text.get_text() for text in axes.texts] for axes in panels[:, 2]]
    assert told == [[], ["no other among\nthe 3 searched"]]
    assert panels[0, 2].get_title() == "b0004/conv1[2]\n↑ 4.0 std\n0.50 → dog"
