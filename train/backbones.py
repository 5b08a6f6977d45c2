"""Which frozen network looks at the images? What train.artifact_classifier chooses by its flags."""

from typing import Any, NamedTuple

from absl import flags

from ganfail_jax import zoo
from ganfail_jax.errors import InputError
from ganfail_jax.nn import resnet
from ganfail_jax.nn.artifact_classifier import CNN, ENTRIES, INCEPTION, ArtifactClassifierConfig
from ganfail_jax.types import Params
from ganfail_jax.weights import inception_names, resnet_names

FLAGS = flags.FLAGS
RESNET = "resnet"
FILES = {RESNET: "resnet_weights", INCEPTION: "inception_weights", CNN: "classifier"}
Shape = tuple[int, int, int]


class Backbone(NamedTuple):
    config: ArtifactClassifierConfig
    layers: Params
    identity: dict[str, Any]  # network, file and its SHA-256


def define() -> None:
    flags.DEFINE_enum(
        "backbone",
        None,
        [*FILES],
        "Default: the dataset's own classifier where it takes the generator's images, else resnet.",
    )
    text = "File of --backbone={} (else: of an installed package)."
    for name in (RESNET, INCEPTION):
        flags.DEFINE_string(FILES[name], None, text.format(name))
    text = "CNN of --backbone=classifier: bundled name or folder (default: the dataset's own)."
    flags.DEFINE_string(FILES[CNN], None, text)


def chosen(image_shape: Shape, num_classes: int) -> Backbone:
    """By the flags.

    Raises:
        InputError: flags that contradict each other, or a CNN of other images.
        WeightsError: the weights are not there or damaged.
    """
    given = [name for name, flag in FILES.items() if FLAGS[flag].value]
    asked = FLAGS.backbone or next(iter(given), None)
    for name in given:
        if name != asked:
            raise InputError(
                f"--{FILES[name]} does not go with --backbone={asked}; leave one of them out"
            )
    if asked is None:
        asked = CNN if _own_fits(image_shape) else RESNET
        print(f"backbone: {asked}; --backbone chooses another of {', '.join(FILES)}", flush=True)
    if asked == CNN:
        return _cnn(FLAGS.classifier or _own(), image_shape, num_classes)
    names = resnet_names if asked == RESNET else inception_names
    loaded = names.load(FLAGS[FILES[asked]].value)
    kind, entry = INCEPTION, None
    if asked == RESNET:
        kind = resnet.depth(loaded.layers)
        entry = next(name for name, each in ENTRIES.items() if each == loaded.entry)
    if image_shape[2] not in (1, 3):
        raise InputError(f"images of {image_shape[2]} channels; {kind} takes 1 or 3")
    config = ArtifactClassifierConfig(image_shape, kind, num_classes, entry)
    identity = {"network": kind, "file": loaded.file, "sha256": loaded.sha256}
    return Backbone(config, loaded.layers, identity)


def _own() -> str:
    """The dataset's own classifier."""
    return zoo.defaults(FLAGS.dataset).classifiers[0]


def _own_fits(image_shape: Shape) -> bool:
    known = FLAGS.dataset in zoo.DEFAULTS
    return known and zoo.load_cnn(_own())[0].image_shape == image_shape


def _cnn(name: str, image_shape: Shape, num_classes: int) -> Backbone:
    cnn, params = zoo.load_cnn(name)
    if cnn.image_shape != image_shape:
        taken, made = ("x".join(map(str, shape)) for shape in (cnn.image_shape, image_shape))
        raise InputError(
            f"classifier {name} takes {taken} images, but the generator makes {made}; "
            f"give --backbone={RESNET} or --backbone={INCEPTION}"
        )
    config = ArtifactClassifierConfig(image_shape, CNN, num_classes, cnn=cnn)
    sha256 = zoo.read_classifier(name).sha256
    return Backbone(config, params, {"network": CNN, "file": name, "sha256": sha256})
