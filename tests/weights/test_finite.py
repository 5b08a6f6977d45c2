"""Weights that are not finite are refused on every road by which weights come in."""

import math

import jax
import numpy as np
import pytest

from ganfail_jax import zoo
from ganfail_jax.nn import classifiers, stylegan2_discriminator
from ganfail_jax.weights import store
from ganfail_jax.weights.errors import WeightsError
from tests.goldens import FOLDER, load
from tests.tiny import CONFIG, random_variables
from tests.weights import tensorflow_files, tfjs_files
from tests.weights.tensorflow_published import PGGAN
from tests.weights.test_rosinality import NVIDIA, checkpoint
from tests.weights.torch_saved import save

ADA = "stylegan2_ada_cond_gray32"
GROWN = "genforce_pggan_rgb64"


def with_one(array, value):
    """The array with one other number in its middle."""
    changed = np.array(array, np.float32)
    changed.flat[changed.size // 2] = value
    return changed


def own_folder(folder, value):
    variables = random_variables(CONFIG)
    weight = variables["params"]["synthesis"]["b0008"]["conv1"]["weight"]
    variables["params"]["synthesis"]["b0008"]["conv1"]["weight"] = with_one(weight, value)
    store.save(folder / "best", "stylegan2", CONFIG.to_dict(), variables, {})
    return folder, "params/synthesis/b0008/conv1/weight"


def genforce(folder, value):
    state, _ = load(GROWN)
    state["layer1.weight"] = with_one(state["layer1.weight"], value)
    (folder / "a.pth").write_bytes(save({"generator_smooth": state}))
    return folder / "a.pth", "params/b0004_conv1/weight"


def rosinality(folder, value):
    found = checkpoint(NVIDIA)
    found["g_ema"]["conv1.activate.bias"] = with_one(found["g_ema"]["conv1.activate.bias"], value)
    (folder / "a.pt").write_bytes(save(found))
    return folder / "a.pt", "params/synthesis/b0004/conv1/bias"


def nvidia(folder, value):
    raw, array = (FOLDER / f"{ADA}.pkl").read_bytes(), load(ADA)[0]["mapping.w_avg"]
    assert raw.count(array.tobytes()) == 1
    (folder / "a.pkl").write_bytes(raw.replace(array.tobytes(), with_one(array, value).tobytes()))
    return folder / "a.pkl", "buffers/w_avg"


def tensorflow(folder, value):
    def change(variables):
        variables["8x8/Conv1/bias"] = with_one(variables["8x8/Conv1/bias"], value)

    root = tensorflow_files.pggan(load(GROWN)[0], change=change, **PGGAN)
    (folder / "a.pkl").write_bytes(tensorflow_files.dump(root))
    return folder / "a.pkl", "params/b0008_conv1/bias"


def hub_arrays(value):
    arrays = tfjs_files.random_arrays()
    arrays["res_0/conv1/kernel"] = with_one(arrays["res_0/conv1/kernel"], value)
    return arrays


def npz(folder, value):
    np.savez(folder / "a.npz", **hub_arrays(value))
    return folder / "a.npz", "params/b0004_conv1/weight"


def tfjs(folder, value):
    tfjs_files.write(folder / "hub", hub_arrays(value))
    return folder / "hub", "params/b0004_conv1/weight"


@pytest.mark.parametrize("value", [math.nan, -math.inf])
@pytest.mark.parametrize("road", [own_folder, genforce, rosinality, nvidia, tensorflow, npz, tfjs])
def test_one_number_that_is_not_finite_is_refused_by_the_name_of_its_array(road, value, tmp_path):
    path, name = road(tmp_path, value)
    with pytest.raises(WeightsError) as refused:
        zoo.load_generator(str(path))
    assert str(refused.value) == f"{path}: 1 faults: {name} is not finite"
    zoo.load_generator(str(road(tmp_path, 0.5)[0]))


CNN = classifiers.CNNConfig(image_shape=(8, 8, 1), crop=8, num_classes=3)
CRITIC = stylegan2_discriminator.StyleGAN2DiscriminatorConfig(8, 1, 3, 32, 6)


@pytest.mark.parametrize(
    ("kind", "network", "config", "load_network"),
    [
        ("classifier", classifiers, CNN, zoo.load_classifier),
        ("stylegan2_discriminator", stylegan2_discriminator, CRITIC, zoo.load_discriminator),
    ],
)
def test_classifiers_and_discriminators_alike(kind, network, config, load_network, tmp_path):
    shapes = jax.eval_shape(lambda: network.init(config, jax.random.key(0)))
    for value in (0, math.nan):
        params = jax.tree.map(lambda leaf, value=value: np.full(leaf.shape, value), shapes)
        store.save(tmp_path, kind, config.to_dict(), params, {})
        if value == 0:
            load_network(str(tmp_path))
    with pytest.raises(WeightsError, match=f"^{tmp_path}: .* is not finite"):
        load_network(str(tmp_path))
