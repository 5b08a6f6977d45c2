"""Flags that say by which features images are compared, and the features that they name."""

from collections.abc import Mapping
from typing import NamedTuple

from absl.flags import DEFINE_enum, FlagValues

from ganfail_jax import own_models, zoo
from ganfail_jax.cli import classifiers
from ganfail_jax.cli.models import defaults_from
from ganfail_jax.cli.paths import DEFINE_path
from ganfail_jax.errors import InputError
from ganfail_jax.metrics import networks
from ganfail_jax.metrics.features import Features, classifier_features
from ganfail_jax.names import last_part
from ganfail_jax.studies import fingerprints
from ganfail_jax.studies.subject import check_entry
from ganfail_jax.types import Classifier, Params
from ganfail_jax.weights import pretrained
from ganfail_jax.weights.errors import WeightsError

DEFAULT = "inception"
Shape = tuple[int, int, int]


def define_features(flags: FlagValues) -> None:
    """Beside --classifier and --dataset."""
    text = "Network whose features are compared (default: Inception if found, else --classifier)."
    DEFINE_enum("features", None, [*networks.NETWORKS, "classifier"], text, flag_values=flags)
    for name in networks.NETWORKS:
        text = f"File of --features={name} (else: of an installed package)."
        DEFINE_path(f"{name}_weights", None, text, flag_values=flags)


class Named(NamedTuple):
    """A classifier by its name."""

    classifier: Classifier
    params: Params
    sha256: str
    shape: Shape  # of the images that it takes here


def named_classifier(flags: FlagValues, name: str, shape: Shape | None = None) -> Named:
    """A classifier of any kind, by its name and by the flags of how images enter it.

    Args:
        shape: of the images; a classifier of a factory may have none of its own.

    Raises:
        InputError: it cannot be read.
    """
    entry = classifiers.entry_from(flags)
    check_entry([name], entry)
    if own_models.is_own(name):
        if shape is None:
            raise InputError(f"--classifier={name}: features of pictures need a stored classifier")
        classifier, params = own_models.load_classifier(name, shape, entry)
        shape = classifier.image_shape or shape
        sha256 = fingerprints.of_classifier(classifier, params, shape)
        return Named(classifier, params, sha256, shape)
    classifier, params = zoo.load_classifier(name)
    assert classifier.image_shape is not None
    return Named(classifier, params, zoo.read_classifier(name).sha256, classifier.image_shape)


def of_classifier(
    flags: FlagValues, name: str, shape: Shape | None = None
) -> tuple[Features | None, Shape]:
    """Features of a classifier, and the shape of the images that it takes; as `named_classifier`.

    No features where the classifier has no feature map.
    """
    classifier, params, sha256, shape = named_classifier(flags, name, shape)
    if classifier.features is None:
        return None, shape
    return classifier_features(last_part(name), classifier, params, sha256, shape), shape


def features_from(flags: FlagValues, classifier: Features | None) -> Features:
    """By the flags of `define_features`, as `choose`."""
    files = {name: flags[f"{name}_weights"].value for name in networks.NETWORKS}
    return choose(flags.features, files, classifier)


def features_for(flags: FlagValues, shape: Shape) -> Features:
    """By the flags, for images of this shape that a generator makes.

    Those of a classifier are --classifier's, or of the dataset's own where it takes such images.

    Raises:
        InputError: the classifier that the flags name does not take them, or nothing does.
    """
    wanted = flags.features in (None, "classifier")
    return features_from(flags, _fitting_classifier(flags, shape) if wanted else None)


def _fitting_classifier(flags: FlagValues, shape: Shape) -> Features | None:
    required = flags.classifier or flags.features == "classifier"
    if not required and flags.dataset not in zoo.DEFAULTS:
        return None
    name = flags.classifier or defaults_from(flags).classifiers[0]
    features, taken = of_classifier(flags, name, shape)
    if taken == shape:
        return features
    if required:
        whose = "" if flags.classifier else f", the one of --dataset={flags.dataset},"
        taken, made = ("x".join(map(str, each)) for each in (taken, shape))
        raise InputError(
            f"classifier {name}{whose} takes images of {taken}, but the generator makes {made}; "
            f"give a --classifier that fits, or --features={DEFAULT} ({_how_to_get(DEFAULT)})"
        )
    return None


def _how_to_get(network: str) -> str:
    return pretrained.how_to_get(networks.NETWORKS[network].carrier)


def choose(
    requested: str | None, files: Mapping[str, str | None], classifier: Features | None
) -> Features:
    """The features requested; where none are and Inception is absent, the classifier's.

    Args:
        requested: "classifier" or a network; None: the one whose file is given.
        files: of the networks.
        classifier: its features; None: there is no classifier.

    Raises:
        InputError: a file of another network than the one requested, or nothing is requested and
            there is neither Inception nor a classifier.
        WeightsError: the weights requested are missing or damaged.
    """
    given = [name for name, file in files.items() if file]
    requested = requested or next(iter(given), None)
    for name in given:
        if name != requested:
            raise InputError(
                f"--{name}_weights does not go with features of {requested}; leave it out"
            )
    if requested == "classifier":
        if classifier is None:
            raise InputError("--features=classifier: this classifier has no feature map")
        return classifier
    name = requested or DEFAULT
    try:
        return networks.load(name, files[name])
    except WeightsError as error:
        if requested:
            raise
        if classifier is None:
            raise InputError(
                f"no features to compare by: no classifier takes these images, and for "
                f"--features={DEFAULT} {error}"
            ) from error
        print(f"{error}; the classifier's features are used instead")
        return classifier
