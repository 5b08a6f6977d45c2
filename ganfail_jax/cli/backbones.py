"""Flags that name the frozen network of an artifact classifier, and the network."""

from absl.flags import DEFINE_enum, FlagValues

from ganfail_jax import zoo
from ganfail_jax.cli.features import Shape
from ganfail_jax.cli.paths import DEFINE_path
from ganfail_jax.errors import InputError
from ganfail_jax.nn import resnet
from ganfail_jax.nn.artifact_classifier import CNN, ENTRIES, INCEPTION, ArtifactClassifierConfig
from ganfail_jax.studies.artifact_classifier import Backbone
from ganfail_jax.weights import inception_names, resnet_names

RESNET = "resnet"
FILES = {RESNET: "resnet_weights", INCEPTION: "inception_weights", CNN: "classifier"}


def define_backbone(flags: FlagValues) -> None:
    """Beside --dataset."""
    text = "Default: the dataset's own classifier where it takes the generator's images, else "
    DEFINE_enum("backbone", None, [*FILES], f"{text}resnet.", flag_values=flags)
    for name in (RESNET, INCEPTION):
        text = f"File of --backbone={name} (else: of an installed package)."
        DEFINE_path(FILES[name], None, text, flag_values=flags)
    text = "CNN of --backbone=classifier: bundled name or folder (default: the dataset's own)."
    DEFINE_path(FILES[CNN], None, text, flag_values=flags)


def backbone_from(flags: FlagValues, image_shape: Shape) -> Backbone:
    """The network, for images of this shape.

    Raises:
        InputError: flags that contradict each other, or a CNN of other images.
        WeightsError: the weights are missing or damaged.
    """
    given = [name for name, flag in FILES.items() if flags[flag].value]
    requested = flags.backbone or next(iter(given), None)
    for name in given:
        if name != requested:
            raise InputError(
                f"--{FILES[name]} does not go with --backbone={requested}; leave one of them out"
            )
    if requested is None:
        requested = CNN if _own_fits(flags, image_shape) else RESNET
        others = ", ".join(FILES)
        print(f"backbone: {requested}; --backbone chooses another of {others}", flush=True)
    if requested == CNN:
        return _cnn(flags.classifier or _own(flags), image_shape)
    names = resnet_names if requested == RESNET else inception_names
    loaded = names.load(flags[FILES[requested]].value)
    kind, entry = INCEPTION, None
    if requested == RESNET:
        kind = resnet.depth(loaded.layers)
        entry = next(name for name, each in ENTRIES.items() if each == loaded.entry)
    if image_shape[2] not in (1, 3):
        raise InputError(f"images of {image_shape[2]} channels; {kind} takes 1 or 3")
    config = ArtifactClassifierConfig(image_shape, kind, entry=entry)
    identity = {"network": kind, "file": loaded.file, "sha256": loaded.sha256}
    return Backbone(config, loaded.layers, identity)


def _own(flags: FlagValues) -> str:
    """The dataset's own classifier."""
    return zoo.defaults(flags.dataset).classifiers[0]


def _own_fits(flags: FlagValues, image_shape: Shape) -> bool:
    known = flags.dataset in zoo.DEFAULTS
    return known and zoo.load_cnn(_own(flags))[0].image_shape == image_shape


def _cnn(name: str, image_shape: Shape) -> Backbone:
    cnn, params = zoo.load_cnn(name)
    if cnn.image_shape != image_shape:
        taken, own = ("x".join(map(str, shape)) for shape in (cnn.image_shape, image_shape))
        raise InputError(
            f"classifier {name} takes {taken} images, but the generator makes {own}; "
            f"give --backbone={RESNET} or --backbone={INCEPTION}"
        )
    config = ArtifactClassifierConfig(image_shape, CNN, cnn=cnn)
    sha256 = zoo.read_classifier(name).sha256
    return Backbone(config, params, {"network": CNN, "file": name, "sha256": sha256})
