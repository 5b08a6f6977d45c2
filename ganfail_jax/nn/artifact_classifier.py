"""Is a generated image an artifact? A frozen backbone and one linear layer (Tousi 2021, sec. 3.2).

`features` are the backbone's last map, so that Grad-CAM (analysis/gradcam.py) has where to look,
and the linear layer sees `pool` of it.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from ganfail_jax.errors import InputError
from ganfail_jax.images import to_levels
from ganfail_jax.nn import classifiers, frozen, imagenet, inception, limits, resnet
from ganfail_jax.nn.classifiers import CNNConfig
from ganfail_jax.types import Classifier, Params

KIND = "artifact_classifier"  # of its weights folder
INCEPTION, CNN = "inception", "classifier"
BACKBONES = (*resnet.FORMS, INCEPTION, CNN)
ENTRIES = {"torchvision": imagenet.TORCHVISION, "unit_range": imagenet.UNIT_RANGE}
BACKBONE, LINEAR = "backbone", "linear"  # the two parts of the variables


@dataclass(frozen=True)
class ArtifactClassifierConfig:
    """Everything that fixes the network; stored beside the weights."""

    image_shape: tuple[int, int, int]
    backbone: str  # one of BACKBONES
    num_classes: int = 3
    entry: str | None = None  # how images enter a ResNet: one of ENTRIES
    cnn: CNNConfig | None = None  # the CNN that is the backbone

    def __post_init__(self) -> None:
        limits.check(self)
        limits.check_choice("backbone", self.backbone, BACKBONES)
        shape = self.image_shape
        if self.num_classes < 2:
            raise ValueError(f"num_classes {self.num_classes} is not at least 2")
        if (self.entry in ENTRIES) != (self.backbone in resnet.FORMS):
            raise ValueError(f"entry {self.entry!r} does not go with backbone {self.backbone}")
        if (self.cnn is not None) != (self.backbone == CNN):
            raise ValueError(f"a CNN's settings go with backbone {CNN} alone")
        if self.cnn is not None and self.cnn.image_shape != shape:
            raise ValueError(f"image_shape {shape} is not the CNN's, {self.cnn.image_shape}")
        if self.backbone != CNN and shape[2] not in (1, 3):
            raise ValueError(f"images of {shape[2]} channels; {self.backbone} takes 1 or 3")

    @property
    def num_features(self) -> int:
        """Inputs of the linear layer: numbers of `pool`."""
        if self.cnn is not None:
            side = self.cnn.crop // 2 ** len(self.cnn.widths)
            return side * side * self.cnn.widths[-1]
        if self.backbone == INCEPTION:
            return inception.FEATURES
        *_, last = resnet.kernel_shapes(resnet.FORMS[self.backbone]).values()
        return last[3]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def from_dict(*, cnn: Mapping[str, Any] | None = None, **values: Any) -> ArtifactClassifierConfig:
    """The inverse of `to_dict`."""
    return ArtifactClassifierConfig(**values, cnn=None if cnn is None else CNNConfig(**cnn))


def variables(
    backbone: frozen.Layers | Params,
    kernel: Float[Array, "d k"],
    bias: Float[Array, " k"],
) -> Params:
    """All that is saved and given to the functions of `build`.

    Args:
        backbone: layers of a ResNet or of Inception, or a CNN's parameters; their own last layer is
            left out.
    """
    own = {name: layer for name, layer in backbone.items() if name not in (resnet.HEAD, "dense")}
    named = {k: v._asdict() if isinstance(v, frozen.Folded) else v for k, v in own.items()}
    return {BACKBONE: named, LINEAR: {"kernel": kernel, "bias": bias}}


def init(config: ArtifactClassifierConfig, key: Array) -> Params:
    """Variables of the right shapes: frozen layers come from elsewhere and are zero here."""
    if config.cnn is not None:
        backbone = classifiers.init(config.cnn, key)
    else:
        published = config.backbone == INCEPTION
        form = None if published else resnet.FORMS[config.backbone]
        shapes = inception.kernel_shapes() if form is None else resnet.kernel_shapes(form)
        zeros = ((name, jnp.zeros(shape), jnp.zeros(shape[3])) for name, shape in shapes.items())
        backbone = {name: frozen.Folded(kernel, bias) for name, kernel, bias in zeros}
    kernel = jnp.zeros((config.num_features, config.num_classes))
    return variables(backbone, kernel, jnp.zeros(config.num_classes))


def pool(
    config: ArtifactClassifierConfig, features: Float[Array, "b _ _ _"]
) -> Float[Array, "b d"]:
    """What the linear layer sees: means over the map, but a CNN's own head sees it flattened."""
    if config.cnn is not None:
        return features.reshape(features.shape[0], -1)
    return jnp.mean(features, axis=(1, 2))


def _map(config: ArtifactClassifierConfig) -> Callable[[Params, Array], Array]:
    """The backbone as a function of its variables and images in [-1, 1]."""
    if config.cnn is not None:
        names = tuple(map(str, range(config.cnn.num_classes)))
        return classifiers.build(config.cnn, names).feature_map

    def layers(named: Params) -> frozen.Layers:
        return {name: frozen.Folded(**arrays) for name, arrays in named.items()}

    if config.backbone == INCEPTION:
        return lambda named, x: inception.maps(layers(named), to_levels(x))
    entry = ENTRIES[config.entry or ""]
    return lambda named, x: resnet.features(layers(named), entry.resize(x), entry.normalize)


def build(config: ArtifactClassifierConfig, class_names: tuple[str, ...]) -> Classifier:
    """The classifier as pure functions of its variables (`Classifier` in types).

    Inception takes whole numbers 0..255, whose rounding has no gradient: by its images the gradient
    of an output is zero. By the features, which is all that Grad-CAM needs, it is not.

    Raises:
        InputError: not one name per class; and, when called, images of another shape.
    """
    if len(class_names) != config.num_classes:
        raise InputError(f"{len(class_names)} class names for {config.num_classes} classes")
    backbone = _map(config)

    def features(params: Params, images: Float[Array, "b h w c"]) -> Float[Array, "b _ _ _"]:
        classifiers.check_images(images, config.image_shape)
        return backbone(params[BACKBONE], images)

    def head(params: Params, features: Float[Array, "b _ _ _"]) -> Float[Array, "b k"]:
        linear = params[LINEAR]
        pooled = pool(config, features)
        return jnp.matmul(pooled, linear["kernel"], precision="highest") + linear["bias"]

    margins = (0, 0) if config.cnn is None else config.cnn.margins
    return Classifier(config.image_shape, config.num_classes, class_names, features, head, margins)
