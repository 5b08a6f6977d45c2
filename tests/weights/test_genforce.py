"""genforce's networks with labels; those without are in test_importers.py."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax import zoo
from ganfail_jax.weights import importers
from ganfail_jax.weights.errors import WeightsError
from tests.goldens import FOLDER, deviation, load, nhwc
from tests.weights.torch_saved import save

CLASSES, Z = 5, 24
STYLEGAN2, PGGAN = "genforce_stylegan2_rgb64", "genforce_pggan_rgb64"


@pytest.fixture
def conditional(tmp_path):
    """Its StyleGAN2 golden with a label: the first layer has twice the inputs."""
    state, arrays = load("genforce_stylegan2_rgb64")
    rng = np.random.default_rng(2)
    state["mapping.label_weight"] = rng.normal(size=(CLASSES, Z)).astype(np.float32)
    state["mapping.dense0.weight"] = (100 * rng.normal(size=(Z, 2 * Z))).astype(np.float32)
    path = tmp_path / "file.pth"
    path.write_bytes(save({"generator_smooth": state}))
    return str(path), state, arrays["z"].astype(np.float64)


def mapped(state, z, label):
    """MappingModule of its stylegan2_generator.py, in float64."""
    x = np.concatenate([z, label @ state["mapping.label_weight"]], axis=1)
    x = x / np.sqrt(np.mean(x**2, axis=1, keepdims=True) + 1e-8)
    for i in range(8):
        weight, bias = (state[f"mapping.dense{i}.{name}"] for name in ("weight", "bias"))
        x = x @ weight.T * (0.01 / np.sqrt(weight.shape[1])) + bias * 0.01
        x = np.where(x > 0, x, 0.2 * x) * np.sqrt(2)
    return x


def test_label_is_normalised_together_with_z(conditional):
    path, state, z = conditional
    generator, params = zoo.load_generator(path)
    assert (generator.num_classes, generator.z_dim) == (CLASSES, Z)
    assert generator.mapping is not None
    mapping = jax.jit(generator.mapping)
    seen = []
    for length in (1.0, 3.0):
        for n in range(CLASSES):
            label = np.tile(np.eye(CLASSES)[n], (len(z), 1))
            w = mapping(params, jnp.asarray(length * z, jnp.float32), jnp.asarray(label, "float32"))
            assert deviation(np.asarray(w), mapped(state, length * z, label)) < 1e-4
            seen.append(np.asarray(w))
    # neither the class nor the length of z is without effect; the latter is in ADA's networks
    assert deviation(seen[0], seen[1]) > 0.1 < deviation(seen[0], seen[CLASSES])


def test_what_follows_the_mapping_is_the_same_network(conditional):
    path, _, _ = conditional
    generator, params = zoo.load_generator(path)
    plain, plain_params = zoo.load_generator(str(FOLDER / "genforce_stylegan2_rgb64.pth"))
    _, arrays = load("genforce_stylegan2_rgb64")
    image, _ = jax.jit(generator.synthesize)(
        params, plain.styles(plain_params, jnp.asarray(arrays["z"]))
    )
    assert deviation(image, nhwc(arrays["image"])) < 1e-4


def written(folder, state):
    path = folder / "file.pth"
    path.write_bytes(save(state))
    return path


@pytest.mark.parametrize(
    ("golden", "name", "second", "network"),
    [
        (PGGAN, "layer0.bias", "layer00.bias", "unconditional PGGAN"),
        (STYLEGAN2, "mapping.dense0.bias", "mapping.dense00.bias", "StyleGAN2"),
        (STYLEGAN2, "synthesis.layer0.bias", "synthesis.layer00.bias", "StyleGAN2"),
        (STYLEGAN2, "synthesis.output0.bias", "synthesis.output00.bias", "StyleGAN2"),
    ],
)
def test_second_name_of_an_array_is_refused(golden, name, second, network, tmp_path):
    state, _ = load(golden)
    path = written(tmp_path, {**state, second: state[name] + 1})
    with pytest.raises(WeightsError, match=f"unexpected {second}: not of genforce's {network}"):
        importers.read(path)


FILTERS = {
    "synthesis.layer1.filter.kernel": "synthesis.b8.conv0",
    "synthesis.upsample.kernel": "synthesis.upsample",
}


@pytest.mark.parametrize("name", FILTERS)
def test_another_filter_is_refused(name, tmp_path):
    state, _ = load(STYLEGAN2)
    other = np.full_like(state[name], 0.25)  # of the same sum
    np.testing.assert_allclose(other.sum(), state[name].sum(), rtol=1e-6)
    path = written(tmp_path, {**state, name: other})
    expected = rf"{FILTERS[name]}.resample_filter is not the \[1, 3, 3, 1\] filter"
    with pytest.raises(WeightsError, match=expected):
        importers.read(path)


def test_half_precision_is_converted_before_anything_is_added(tmp_path):
    state, _ = load(STYLEGAN2)
    half = {name: array.astype(np.float16) for name, array in state.items()}
    found = importers.read(written(tmp_path, half))
    exact = {name: array.astype(np.float32) for name, array in half.items()}
    wanted = importers.read(written(tmp_path, exact))
    for name, array in wanted.arrays.items():
        np.testing.assert_array_equal(found.arrays[name], array)


def pggan(inputs):
    state, _ = load("genforce_pggan_rgb64")
    return {**state, "layer0.weight": np.ones((16, inputs, 4, 4), np.float32)}


@pytest.mark.parametrize("inputs", [100, 512, 1024])
def test_first_layer_of_pggan_without_labels_takes_z(inputs, tmp_path):
    path = tmp_path / "file.pth"
    path.write_bytes(save(pggan(inputs)))
    found = importers.read(path).config
    assert (found["z_dim"], found["num_classes"]) == (inputs, 0)


@pytest.mark.parametrize("inputs", [513, 522, 1512])
def test_pggan_with_labels_is_refused(inputs, tmp_path):
    path = tmp_path / "file.pth"
    path.write_bytes(save(pggan(inputs)))
    expected = f"takes {inputs} numbers, as of z with 512 and a label: genforce's conditional PGGAN"
    with pytest.raises(WeightsError, match=expected):
        importers.read(path)
