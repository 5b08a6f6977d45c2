"""FID's Inception against pytorch-fid's module, NVIDIA's detector and definitions in float64.

- inception_made_up.npz: what pytorch-fid 0.3.0's module gave (torch 2.13) for made-up weights, its
  input resized by NVIDIA's formula.
- inception_fid.npz: resized pixels and features of the published weights. Those features need the
  weights, which are not part of the project.
Tolerances: 1e-4 standard deviations through 20 layers in float32, 1e-3 for the published features.
"""

import importlib.util

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax.errors import InputError
from ganfail_jax.nn import frozen, inception
from ganfail_jax.weights import inception_names
from tests.goldens import deviation, load
from tests.nn import plain
from tests.weights import inception_files

RNG = np.random.default_rng(0)


def test_resized_pixels_match_tensorflow():
    _, golden = load("inception_fid")
    resized = np.asarray(inception.resize(golden["images_uint8"]))
    # grey levels 0..255; one part in a million is float32's rounding
    samples = resized.transpose(0, 3, 1, 2)[:, :, ::37, ::41]
    np.testing.assert_allclose(samples, golden["resized_row0"], atol=255e-6)


def test_features_of_made_up_weights_match_pytorch_fid():
    _, golden = load("inception_made_up")
    layers = inception_names.assign(inception_files.pytorch_fid())
    ours = np.asarray(jax.jit(inception.features)(layers, golden["pixels"]))
    assert deviation(ours, golden["features"]) < 1e-4
    # the two images differ by far more than the tolerance
    assert np.abs(golden["features"][0] - golden["features"][1]).max() > 0.05 * ours.std()


def test_published_features():
    if importlib.util.find_spec(inception_names.CARRIER.module) is None:
        pytest.skip(f"{inception_names.CARRIER.requirement} is not installed")
    _, golden = load("inception_fid")
    layers = inception_names.load().layers
    ours = np.asarray(jax.jit(inception.features)(layers, golden["images_uint8"]))
    assert deviation(ours, golden["features"]) < 1e-3


def reference_block(layers, x, block):
    """The block's towers one after the other, the pool before its projection."""

    def conv(y, spec):
        layer = layers[f"{block.name}/{spec.name}"]
        padding = tuple(n // 2 for n in spec.kernel) if spec.padded else (0, 0)
        return np.maximum(plain.conv(y, layer.kernel, layer.bias, spec.stride, padding), 0)

    outputs = []
    for tower in block.towers:
        y = x
        for step in tower:
            y = np.concatenate([conv(y, spec) for spec in step], axis=-1)
        outputs.append(y)
    if block.pool == "half":
        outputs.append(plain.max_pool(x, 3, 2))
    else:
        pooled = plain.mean_pool(x) if block.pool == "mean" else plain.max_pool(x, 3, 1, 1)
        outputs.append(conv(pooled, block.projection))
    return np.concatenate(outputs, axis=-1)


@pytest.mark.parametrize("block", inception.BLOCKS, ids=lambda block: block.name)
def test_blocks_match_their_definition(block):
    shapes = {k: v for k, v in inception.kernel_shapes().items() if k.startswith(f"{block.name}/")}
    layers = {
        name: frozen.Folded(
            (RNG.normal(size=shape) / np.sqrt(np.prod(shape[:3]))).astype(np.float32),
            RNG.normal(size=shape[3]).astype(np.float32),
        )
        for name, shape in shapes.items()
    }
    inputs = shapes[f"{block.name}/{block.towers[0][0][0].name}"][2]
    x = RNG.normal(size=(1, 5, 5, inputs)).astype(np.float32)
    ours = inception.apply_block(layers, jnp.asarray(x), block)
    assert deviation(np.asarray(ours), reference_block(layers, x, block)) < 1e-5


def test_sizes_are_those_of_the_paper():
    """Szegedy et al. 2016, table 1: 288, 768, 1280 and 2048 channels; less than 25 million."""
    shapes = inception.kernel_shapes()
    inputs = {b.name: shapes[f"{b.name}/{b.towers[0][0][0].name}"][2] for b in inception.BLOCKS}
    assert [inputs[f"mixed_{i}"] for i in (3, 4, 8, 9, 10)] == [288, 768, 768, 1280, 2048]
    assert len(shapes) == 94
    # with the batch norm, without the classifier: as Keras' InceptionV3(include_top=False)
    numbers = sum(np.prod(shape) + 3 * shape[3] for shape in shapes.values())
    assert numbers == 21_802_784


def test_grey_images_are_seen_as_equal_colours():
    grey = RNG.integers(0, 256, (2, 8, 8, 1)).astype(np.uint8)
    np.testing.assert_array_equal(
        inception.resize(grey), inception.resize(np.repeat(grey, 3, axis=3))
    )


def test_other_channels_are_refused():
    with pytest.raises(InputError, match="images of 4 channels; Inception takes 1 or 3"):
        inception.features({}, np.zeros((1, 8, 8, 4), np.uint8))
