"""StyleGAN2 against stylegan2-ada-pytorch (goldens) and its own algebra.

Tolerances: 1e-4 standard deviations for values, 1e-3 for gradients: float32 sums in another order.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax import edits
from ganfail_jax.nn import stylegan2
from ganfail_jax.types import dimension_names, flatten_styles, unflatten_styles
from ganfail_jax.weights import nvidia
from tests.goldens import deviation, load, nhwc, our_name

SMALL = {"z_dim": 24, "w_dim": 20, "channel_max": 16}
CONFIGS = {
    "stylegan2_ada_cond_gray32": stylegan2.StyleGAN2Config(
        **SMALL, resolution=32, num_classes=10, img_channels=1, mapping_layers=2, channel_base=256
    ),
    "stylegan2_ada_uncond_rgb64": stylegan2.StyleGAN2Config(
        **SMALL, resolution=64, num_classes=0, img_channels=3, mapping_layers=8, channel_base=512
    ),
}


@pytest.fixture(scope="module", params=CONFIGS)
def golden(request):
    config = CONFIGS[request.param]
    state, arrays = load(request.param)
    template = jax.eval_shape(lambda: stylegan2.init(config, jax.random.key(0)))
    params = nvidia.assign(state, template)
    label = jnp.asarray(arrays["c"]) if config.num_classes else None
    return stylegan2.build(config), params, jnp.asarray(arrays["z"]), label, arrays


def test_styles_match_the_reference(golden):
    generator, params, z, label, arrays = golden
    styles = generator.styles(params, z, label)
    reference = {our_name(k[6:]): v for k, v in arrays.items() if k.startswith("style/")}
    assert set(styles) == set(reference)
    for name, values in reference.items():
        assert deviation(styles[name], values) < 1e-4, name


def test_activations_and_image_match_the_reference(golden):
    generator, params, z, label, arrays = golden
    image, taps = generator.synthesize(params, generator.styles(params, z, label))
    reference = {our_name(k[11:]): nhwc(v) for k, v in arrays.items() if k[:11] == "activation/"}
    assert list(generator.layers) == sorted(taps) == sorted(reference)
    for name, values in reference.items():
        assert deviation(taps[name], values) < 1e-4, name
    assert deviation(image, nhwc(arrays["image"])) < 1e-4


def test_truncated_and_noiseless_images_match_the_reference(golden):
    generator, params, z, label, arrays = golden
    styles = generator.styles(params, z, label, 0.5, 4)
    image, _ = generator.synthesize(params, styles)
    assert deviation(image, nhwc(arrays["image_trunc_psi0.5_cutoff4"])) < 1e-4
    image, _ = generator.synthesize(params, generator.styles(params, z, label), noise_mode="none")
    assert deviation(image, nhwc(arrays["image_noise_none"])) < 1e-4


def test_style_gradients_match_the_reference(golden):
    generator, params, z, label, arrays = golden
    probe = nhwc(arrays["grad/probe"])
    gradients = jax.grad(lambda s: jnp.sum(generator.synthesize(params, s)[0] * probe))(
        generator.styles(params, z, label)
    )
    for name, values in arrays.items():
        if name.startswith("grad/style/"):
            assert deviation(gradients[our_name(name[11:])], values) < 1e-3, name
