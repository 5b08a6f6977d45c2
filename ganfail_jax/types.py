"""The contract every generator, classifier and analysis shares (DESIGN.md, "Core abstractions").

Shape letters, everywhere: b samples, z latent, w intermediate latent, k classes, h/w image rows and
columns, c channels, s all dimensions of the StyleSpace S.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, get_args

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ganfail_jax.errors import InputError

Params = Any
Styles = Mapping[str, Float[Array, "b _"]]
Activations = Mapping[str, Float[Array, "b _ _ _"]]
Edits = Mapping[str, Callable[[Array], Array]]
Noise = Literal["random", "const", "none"]
NOISES: tuple[Noise, ...] = get_args(Noise)


class LayerInfo(NamedTuple):
    """One tap: a layer whose activation [b, resolution, resolution, channels] can be edited."""

    resolution: int
    channels: int
    aliases: tuple[str, ...] = ()


class Generator(NamedTuple):
    """Pure functions of a generator; `params` is always the first argument.

    mapping:    (params, z [b,z], label one-hot [b,k] | None, truncation_psi=1.0) -> w [b,w];
                None: the generator has no space W
    styles:     (params, z [b,z], label one-hot [b,k] | None, truncation_psi=1.0) -> Styles
    synthesis:  (params, styles, edits, noise, noise_keys) -> as `synthesize`
    noise:      what the noise inputs get. random: drawn from each sample's key; const: the planes
                stored with the weights, the same for every sample; none: nothing
    """

    z_dim: int
    num_classes: int  # 0: unconditional
    image_shape: tuple[int, int, int]  # (h, w, c)
    layers: Mapping[str, LayerInfo]  # in forward order
    style_dims: Mapping[str, int]  # S: layer -> number of dimensions, in forward order
    mapping: Callable[..., Array] | None
    styles: Callable[..., Styles]
    synthesis: Callable[..., tuple[Array, Activations]]
    has_noise: bool = False  # whether there are noise inputs; without, `noise` is none
    noise: Noise = "none"

    def synthesize(
        self,
        params: Params,
        styles: Styles,
        edits: Edits | None = None,
        noise_keys: Array | None = None,
    ) -> tuple[Float[Array, "b h w c"], Activations]:
        """Images, nominally in [-1, 1], and what every layer computes for them.

        Args:
            noise_keys: one per sample (`latents.noise_keys`); None unless `noise` is random.
        """
        return self.synthesis(params, styles, edits, self.noise, noise_keys)

    def with_noise(self, noise: Noise) -> "Generator":
        """The generator whose noise inputs get this; one without any stays as it is."""
        return self._replace(noise=noise) if self.has_noise else self


class Classifier(NamedTuple):
    """Pure functions of a classifier; logits = head(features).

    features: (params, images [b,h,w,c] in [-1,1]) -> the last feature map [b,h',w',c']
    head:     (params, features) -> logits [b,k]
    margins:  rows above (and below) and columns left (and right) of the image that features do not
              see; the map covers what is between
    """

    image_shape: tuple[int, int, int]
    num_classes: int
    class_names: tuple[str, ...]
    features: Callable[..., Array]
    head: Callable[..., Array]
    margins: tuple[int, int] = (0, 0)

    def logits(self, params: Params, images: Float[Array, "b h w c"]) -> Float[Array, "b k"]:
        """Class logits [b, k] of images in [-1, 1]."""
        return self.head(params, self.features(params, images))


class Discriminator(NamedTuple):
    """Pure function of a discriminator.

    score: (params, images [b,h,w,c] nominally in [-1,1], label one-hot [b,k] | None) -> [b], large
           means real. For the minibatch standard deviation every image is a group of its own, so
           that a score does not depend on the others; the deviation is then 0, the lowest there is.
    """

    image_shape: tuple[int, int, int]  # (h, w, c)
    num_classes: int  # 0: unconditional
    score: Callable[..., Array]


def find_layer(layers: Mapping[str, LayerInfo], name: str) -> str:
    """The tap of this name or alias: `b0016/conv0`, `b16.conv0`, `genforce:layer3`, `choi:3`.

    Raises:
        InputError: no layer is called so; the message lists the names.
    """
    found = [tap for tap, info in layers.items() if name == tap or name in info.aliases]
    if found:
        return found[0]
    raise InputError(f"no layer {name!r}; the layers are {', '.join(layers)}")


def flatten_styles(styles: Styles, style_dims: Mapping[str, int]) -> Float[Array, "b s"]:
    """S as one vector per sample, layers in forward order (Wu et al. 2021, StyleSpace)."""
    return jnp.concatenate([styles[layer] for layer in style_dims], axis=-1)


def unflatten_styles(vector: Float[Array, "b s"], style_dims: Mapping[str, int]) -> Styles:
    """The inverse of `flatten_styles`."""
    ends = np.cumsum(list(style_dims.values()))
    if vector.shape[-1] != ends[-1]:
        raise ValueError(f"a style vector of {vector.shape[-1]} dimensions, but S has {ends[-1]}")
    return dict(zip(style_dims, jnp.split(vector, ends[:-1], axis=-1), strict=True))


def dimension_names(style_dims: Mapping[str, int]) -> list[str]:
    """A name for every dimension of S, such as `b0008/conv0[17]`, in the order of the vector."""
    return [f"{layer}[{i}]" for layer, size in style_dims.items() for i in range(size)]
