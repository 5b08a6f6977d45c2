"""The contract that every generator, classifier and analysis shares.

Shape letters, everywhere: b samples, z latent, w intermediate latent, k classes, h/w image rows and
columns, c channels, s all dimensions of the StyleSpace S.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, Protocol, get_args

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


class MapsLatents(Protocol):
    """Latents and one-hot labels (None: unconditional) to w."""

    def __call__(
        self,
        params: Params,
        z: Float[Array, "b z"],
        label: Float[Array, "b k"] | None = None,
        truncation_psi: float | Array = 1.0,
        /,
    ) -> Float[Array, "b w"]: ...


class MakesStyles(Protocol):
    """Latents and one-hot labels (None: unconditional) to the styles of every layer."""

    def __call__(
        self,
        params: Params,
        z: Float[Array, "b z"],
        label: Float[Array, "b k"] | None = None,
        truncation_psi: float | Array = 1.0,
        /,
    ) -> Styles: ...


class Synthesizes(Protocol):
    """Styles to images and activations, as `Generator.synthesize`."""

    def __call__(
        self,
        params: Params,
        styles: Styles,
        edits: Edits | None,
        noise: Noise,
        noise_keys: Array | None,
        /,
    ) -> tuple[Float[Array, "b h w c"], Activations]: ...


class Generator(NamedTuple):
    """Pure functions of a generator; `params` is always the first argument."""

    z_dim: int
    num_classes: int  # 0: unconditional
    image_shape: tuple[int, int, int]  # (h, w, c)
    layers: Mapping[str, LayerInfo]  # in forward order
    style_dims: Mapping[str, int]  # S: layer -> number of dimensions, in forward order
    mapping: MapsLatents | None  # None: the generator has no space W
    styles: MakesStyles
    synthesis: Synthesizes
    has_noise: bool = False  # whether there are noise inputs; without, `noise` is none
    # random: drawn from each sample's key; const: the planes stored with the weights, the same for
    # every sample; none: nothing
    noise: Noise = "none"
    label_shares: tuple[float, ...] = ()  # of the classes among samples; empty: equal ones

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


class FindsFeatures(Protocol):
    """Images in [-1, 1] to the last feature map."""

    def __call__(
        self, params: Params, images: Float[Array, "b h w c"], /
    ) -> Float[Array, "b _ _ _"]: ...


class Decides(Protocol):
    """The last feature map (images, where a classifier shows none) to logits."""

    def __call__(
        self, params: Params, features: Float[Array, "b _ _ _"], /
    ) -> Float[Array, "b k"]: ...


class Classifier(NamedTuple):
    """Pure functions of a classifier; logits = head(features(images))."""

    image_shape: tuple[int, int, int] | None  # None: whatever its functions take
    num_classes: int
    class_names: tuple[str, ...]
    features: FindsFeatures | None  # None: no map to show; `head` takes the images
    head: Decides
    # rows above (and below) and columns left (and right) of the image that features do not see; the
    # feature map covers what is between
    margins: tuple[int, int] = (0, 0)
    has_gradient: bool = True  # of the logits by the images
    origin: str = ""  # what identifies it beside its parameters, such as a hash of other weights

    def logits(self, params: Params, images: Float[Array, "b h w c"]) -> Float[Array, "b k"]:
        """Class logits [b, k] of images in [-1, 1]."""
        return self.head(params, images if self.features is None else self.features(params, images))

    def feature_map(self, params: Params, images: Float[Array, "b h w c"]) -> Float[Array, "b ..."]:
        """What `features` finds.

        Raises:
            InputError: the classifier has no feature map.
        """
        if self.features is None:
            raise InputError("this classifier has no feature map; Grad-CAM and features need one")
        return self.features(params, images)


class Scores(Protocol):
    """Images, nominally in [-1, 1], and one-hot labels (None: unconditional) to scores.

    Large means real. For the minibatch standard deviation every image is a group of its own, so a
    score does not depend on the other images; the deviation is then 0, the lowest there is.
    """

    def __call__(
        self,
        params: Params,
        images: Float[Array, "b h w c"],
        label: Float[Array, "b k"] | None = None,
        /,
    ) -> Float[Array, " b"]: ...


class Discriminator(NamedTuple):
    """Pure function of a discriminator."""

    image_shape: tuple[int, int, int]  # (h, w, c)
    num_classes: int  # 0: unconditional
    score: Scores


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
