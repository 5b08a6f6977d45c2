"""Which features does a metric compare images by? Flags, and what they choose."""

from collections.abc import Mapping
from pathlib import Path

from absl import flags

from analyze import flags as common
from ganfail_jax import zoo
from ganfail_jax.errors import InputError
from ganfail_jax.metrics import networks
from ganfail_jax.metrics.features import Features, classifier_features
from ganfail_jax.weights.errors import WeightsError

FLAGS = flags.FLAGS
DEFAULT = "inception"
Shape = tuple[int, int, int]


def define() -> None:
    flags.DEFINE_enum(
        "features",
        None,
        [*networks.NETWORKS, "classifier"],
        "Of which network (default: Inception where its weights are found, else --classifier).",
    )
    for name in networks.NETWORKS:
        text = f"File of --features={name} (else: of an installed package)."
        flags.DEFINE_string(f"{name}_weights", None, text)


def of_classifier(name: str) -> tuple[Features, Shape]:
    """Features of a classifier by its name, and the shape of the images that it takes."""
    classifier, params = zoo.load_classifier(name)
    sha256 = zoo.read_classifier(name).sha256
    return classifier_features(Path(name).name, classifier, params, sha256), classifier.image_shape


def chosen_for(shape: Shape) -> Features:
    """By the flags, for images of a generator.

    Those of a classifier are --classifier's, or of the dataset's own where it takes such images.

    Raises:
        InputError: the classifier asked for does not take them.
    """
    own = _fitting(shape) if FLAGS.features in (None, "classifier") else None
    return chosen(own)


def _fitting(shape: Shape) -> Features | None:
    asked = FLAGS.classifier or FLAGS.features == "classifier"
    if not asked and FLAGS.dataset not in zoo.DEFAULTS:
        return None
    name = FLAGS.classifier or common.default_classifier()
    features, taken = of_classifier(name)
    if taken == shape:
        return features
    if asked:
        raise InputError(
            f"classifier {name} takes images of {taken}, but the generator makes {shape}; give a "
            "--classifier that fits, or other --features"
        )
    return None


def chosen(classifier: Features | None) -> Features:
    """By the flags, as `choose`."""
    files = {name: FLAGS[f"{name}_weights"].value for name in networks.NETWORKS}
    return choose(FLAGS.features, files, classifier)


def choose(
    asked: str | None, files: Mapping[str, str | None], classifier: Features | None
) -> Features:
    """The features asked for; where nothing is asked for and Inception is absent, a classifier's.

    Args:
        asked: "classifier" or a network; None: the one whose file is given.
        files: of the networks.
        classifier: its features; None: there is no classifier.

    Raises:
        InputError: a file of another network than the one asked for.
        WeightsError: the weights asked for are not there or damaged.
    """
    given = [name for name, file in files.items() if file]
    asked = asked or next(iter(given), None)
    for name in given:
        if name != asked:
            raise InputError(f"--{name}_weights does not go with features of {asked}; leave it out")
    if asked == "classifier" and classifier is not None:
        return classifier
    name = asked or DEFAULT
    try:
        return networks.load(name, files[name])
    except WeightsError as error:
        if asked or classifier is None:
            raise
        print(f"{error}; until then the features of the classifier serve")
        return classifier
