"""The flag that names a person's labels, and the labels."""

from absl.flags import FlagValues

from ganfail_jax.cli.paths import DEFINE_path
from ganfail_jax.data.labels import Labelled, read_labels
from ganfail_jax.errors import InputError
from ganfail_jax.studies.subject import GeneratorSubject, check_labelled_noise


def define_labels(flags: FlagValues) -> None:
    text = "CSV file of index, seed and label: normal or artifact."
    DEFINE_path("labels", None, text, flag_values=flags)


def labels_from(flags: FlagValues, subject: GeneratorSubject, least: int) -> Labelled:
    """--labels, of samples of --seed.

    Args:
        least: so many samples of each kind are needed.

    Raises:
        InputError: none given, unreadable, of another generator or noise, or too few of a kind.
    """
    if flags.labels is None:
        raise InputError("give --labels=FILE.csv of index, seed and label; analyze.label makes one")
    check_labelled_noise(subject.generator)
    labels = read_labels(flags.labels, flags.seed, subject.identity["generator_sha256"])
    artifacts = int(labels.artifact.sum())
    normals = len(labels.artifact) - artifacts
    if min(artifacts, normals) < least:
        raise InputError(
            f"{flags.labels} has {artifacts} artifact and {normals} normal samples of "
            f"--seed={flags.seed}; at least {least} of each are needed"
        )
    return labels
