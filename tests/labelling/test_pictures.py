"""A sample's picture is the sample, whoever asks in whatever order."""

import io
import threading
from concurrent.futures import ThreadPoolExecutor

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from ganfail_jax.labelling import pictures
from ganfail_jax.latents import latents
from ganfail_jax.types import Generator


def pixels(png):
    with Image.open(io.BytesIO(png)) as picture:
        return np.asarray(picture)


# its pixels are its z
Z_IS_SEEN = Generator(
    z_dim=64,
    num_classes=0,
    image_shape=(8, 8, 1),
    layers={},
    style_dims={"z": 64},
    mapping=None,
    styles=lambda params, z, *_: {"z": z},
    synthesis=lambda params, styles, *_: (styles["z"].reshape(-1, 8, 8, 1) / 3, {}),
)


def test_each_is_the_sample_of_its_index_and_seed(monkeypatch):
    monkeypatch.setattr(pictures, "LARGEST_BATCH", 4)
    with pictures.pictures(Z_IS_SEEN, {}, seed=3) as picture:
        for index in (5, 0, 7):
            z = np.asarray(latents(Z_IS_SEEN, 3, jnp.asarray([index])).z).reshape(8, 8)
            wanted = np.clip(z / 3 * 127.5 + 128, 0, 255)
            assert np.abs(pixels(picture(index)) + 0.5 - wanted).max() < 0.51


def test_batches_are_rendered_once_and_the_latest_are_kept(monkeypatch):
    rendered = []

    def renderer(generator, seed):
        def render(params, indices, edits):
            rendered.append(indices.tolist())
            return jnp.full((len(indices), 8, 8, 1), -1 + indices[:, None, None, None] / 128)

        return render

    monkeypatch.setattr(pictures, "renderer", renderer)
    monkeypatch.setattr(pictures, "LARGEST_BATCH", 4)
    monkeypatch.setattr(pictures, "KEPT", 2 * 4 * 64)
    with pictures.pictures(Z_IS_SEEN, {}, seed=0) as picture:
        with ThreadPoolExecutor(8) as pool:
            found = [pixels(png)[0, 0] for png in pool.map(picture, [1, 3, 5, 2, 0, 4, 6, 7] * 5)]
        assert np.abs(np.subtract(found, [1, 3, 5, 2, 0, 4, 6, 7] * 5)).max() <= 1
        assert sorted(rendered) == [[0, 1, 2, 3], [4, 5, 6, 7]]
        picture(8)
        picture(10)
        assert rendered[2:] == [[8, 9, 10, 11]]
        picture(rendered[1][0])  # the later of the first two is kept
        assert len(rendered) == 3


def test_the_end_waits_for_what_is_rendered_and_begins_nothing(monkeypatch):
    begun, go_on, rendered = threading.Event(), threading.Event(), []

    def render(params, indices, edits):
        begun.set()
        go_on.wait(10)
        rendered.append(int(indices[0]))
        return jnp.zeros((len(indices), 8, 8, 1))

    monkeypatch.setattr(pictures, "renderer", lambda *_: render)
    monkeypatch.setattr(pictures, "LARGEST_BATCH", 4)
    with ThreadPoolExecutor(2) as pool:
        with pictures.pictures(Z_IS_SEEN, {}, seed=0) as picture:
            first = pool.submit(picture, 0)
            begun.wait(10)
            second = pool.submit(picture, 4)
            threading.Timer(0.2, go_on.set).start()
        assert rendered == [0]
        assert first.result(10) == picture(0)
        for late in (lambda: second.result(10), lambda: picture(8)):
            with pytest.raises(ConnectionError, match="nothing is rendered any more"):
                late()
    assert rendered == [0]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_png_holds_the_pixels(channels):
    image = np.random.default_rng(0).integers(0, 256, (6, 5, channels), np.uint8)
    assert (pixels(pictures.encode(image)).reshape(6, 5, channels) == image).all()
