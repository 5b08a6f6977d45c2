"""Pictures in a folder become an array, or one line says which one does not fit."""

import numpy as np
import pytest
from PIL import Image

from ganfail_jax.data.image_folder import load_folder
from ganfail_jax.errors import InputError

RNG = np.random.default_rng(0)


def write(path, *shape):
    pixels = RNG.integers(0, 256, shape, np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


def test_pictures_come_by_name_pixel_for_pixel(tmp_path):
    (tmp_path / "b").mkdir()
    second, first = write(tmp_path / "b" / "x.PNG", 4, 6, 3), write(tmp_path / "a.bmp", 4, 6, 3)
    (tmp_path / "notes.txt").write_text("no picture")
    np.testing.assert_array_equal(load_folder(tmp_path, (4, 6, 3)), [first, second])


def test_colours_become_grey_where_grey_is_asked_for_and_grey_becomes_colours(tmp_path):
    pixels = write(tmp_path / "grey.png", 4, 4)
    found = load_folder(tmp_path, (4, 4, 3))
    np.testing.assert_array_equal(found[0], np.repeat(pixels[..., None], 3, axis=2))
    np.testing.assert_array_equal(load_folder(tmp_path, (4, 4, 1))[0, ..., 0], pixels)
    colours = write(tmp_path / "grey.png", 4, 4, 3)
    luma = colours @ [0.299, 0.587, 0.114]  # ITU-R 601
    assert np.abs(load_folder(tmp_path, (4, 4, 1))[0, ..., 0] - luma).max() <= 1


def test_what_does_not_fit_is_named(tmp_path):
    with pytest.raises(InputError, match=r"no pictures \(.bmp, .jpeg, .jpg, .png, .webp\) in"):
        load_folder(tmp_path, (4, 4, 3))
    write(tmp_path / "a.png", 4, 6, 3)
    with pytest.raises(InputError, match=r"a.png is 6x4, the generator makes 4x4"):
        load_folder(tmp_path, (4, 4, 3))
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:40])
    with pytest.raises(InputError, match=r"a.png is damaged: "):
        load_folder(tmp_path, (4, 6, 3))
