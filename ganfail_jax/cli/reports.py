"""Flags of a report: earlier results that it takes, what is at hand, and the commands it shows."""

import shlex
from collections.abc import Mapping
from pathlib import Path

from absl.flags import DEFINE_list, FlagValues

from ganfail_jax.cli import features, models
from ganfail_jax.cli.datasets import OF_PICTURES, dataset_from
from ganfail_jax.cli.flags import given_from
from ganfail_jax.cli.images import real_images_from
from ganfail_jax.cli.paths import DEFINE_paths
from ganfail_jax.data.pipelines import Dataset
from ganfail_jax.errors import InputError
from ganfail_jax.metrics import networks
from ganfail_jax.metrics.features import Features, classifier_features
from ganfail_jax.studies.images import ImageSet
from ganfail_jax.studies.report import Options, ends_of
from ganfail_jax.studies.subject import GeneratorSubject, Subject

REAL = ("images", "mnist_dir", *OF_PICTURES)
ENTRY = ("input_size", "input_range", "mean", "std", "input_channels", "layout", "input_resize")
ENTRY += ("outputs", "class_names")


def define_earlier(flags: FlagValues) -> None:
    text = "Earlier results to take, by commas: STUDY=FOLDER, such as rank=runs/rank/NAME."
    DEFINE_paths("earlier", None, text, flag_values=flags)


def define_studies(flags: FlagValues) -> None:
    text = "Studies wanted, by commas, such as describe,accuracy (default: all that can be made)."
    DEFINE_list("studies", None, text, flag_values=flags)


def earlier_from(flags: FlagValues) -> dict[str, str]:
    """Folders of --earlier, by study.

    Raises:
        InputError: an entry is not STUDY=FOLDER, or a study comes twice.
    """
    folders = dict[str, str]()
    for entry in flags.earlier or ():
        study, equals, folder = entry.partition("=")
        if not (study and equals and folder) or study in folders:
            raise InputError(f"--earlier has {entry!r}; each study once, as STUDY=FOLDER")
        folders[study] = str(Path(folder).expanduser())
    return folders


def subject_from(flags: FlagValues) -> Subject | GeneratorSubject:
    """The generator with its classifiers; alone, where no classifier is named and none fits.

    Raises:
        InputError: unreadable weights, or a named classifier that does not fit.
    """
    try:
        return models.several_from(flags)
    except InputError as error:
        if flags.classifiers or not flags.generator:
            raise
        alone = models.generator_from(flags)
        print(f"a report of the generator alone: {error}", flush=True)
        return alone


def options_from(flags: FlagValues, subject: Subject | GeneratorSubject) -> Options:
    """What is at hand beside the models.

    Raises:
        InputError: real images that the flags name are missing, damaged or of another shape.
    """
    options = Options(earlier=earlier_from(flags), studies=flags.studies)
    generator = subject.generator if isinstance(subject, Subject) else subject
    named = any(flags[name].present for name in ("dataset", *REAL))
    if not named and flags.generator:
        return options  # the default dataset has nothing to do with this generator
    shape = generator.generator.image_shape
    try:
        real = real_images_from(flags, shape)
    except InputError as error:
        if named:
            raise
        print(f"no real images: {error}", flush=True)
        return options
    return options._replace(
        labelled=_labelled(flags, subject), real=real, features=_features(subject, real)
    )


def _labelled(flags: FlagValues, subject: Subject | GeneratorSubject) -> Dataset | None:
    """The dataset's test images, if their classes are those of the classifier."""
    if flags.images or not isinstance(subject, Subject):
        return None
    classifier, shape = subject.models[0].classifier, subject.generator.generator.image_shape
    try:
        dataset = dataset_from(flags, "test", channels=shape[2])
    except InputError as error:
        print(f"no real images to classify: {error}", flush=True)
        return None
    fits = dataset.class_names == classifier.class_names and dataset.images.shape[1:] == shape
    return dataset if fits else None


def _features(subject: Subject | GeneratorSubject, real: ImageSet) -> Features | None:
    """Of the first classifier, else of Inception; None: there is neither."""
    if isinstance(subject, Subject) and subject.models[0].classifier.features is not None:
        models, shape = subject.models[0], subject.generator.generator.image_shape
        name, sha256 = subject.classifiers[0], subject.identity["classifier_sha256"][0]
        return classifier_features(name, models.classifier, models.classifier_params, sha256, shape)
    try:
        return features.choose(None, dict.fromkeys(networks.NETWORKS), None)
    except InputError as error:
        print(f"nothing to compare with {real.name} by: {error}", flush=True)
        return None


def commands_from(
    flags: FlagValues, subject: Subject | GeneratorSubject, folder: Path
) -> Mapping[str, str]:
    """The command that makes each study of a report alone, in the same folder.

    What an earlier result takes the place of has no command of this report.
    """
    shared = [*_as_given(flags, ("dataset", "generator")), f"--seed={flags.seed}"]
    fresh, earlier = f"--num_samples={flags.num_samples}", earlier_from(flags)

    def line(key: str, *more: str, command: str | None = None) -> str:
        words = ["python", "-m", f"analyze.{command or key}", *shared, *more]
        return shlex.join([*words, f"--out={folder / key}"])

    report = ["python", "-m", "analyze.report", *_as_given(flags, sorted(given_from(flags, ())))]
    real = _as_given(flags, REAL)
    if not isinstance(subject, Subject):
        taken = f"--rates={earlier.get('rates', folder / 'rates')}"
        ends = ends_of(flags.num_samples)
        metrics = line("evaluate", fresh, "--metrics=fid,pr,realism", *real)
        detected = line("detect", fresh, taken, f"--ends={ends}")
        return {"rates": line("rates", fresh), "detect": detected, "evaluate": metrics}
    names = flags.classifiers or list(models.defaults_from(flags).classifiers)
    entry = _as_given(flags, (*ENTRY, "truncation_psi"))
    score = _as_given(flags, ("score", "normalize"))
    one, several = [f"--classifier={names[0]}", *entry], [f"--classifiers={','.join(names)}"]
    taken = f"--ranking={earlier.get('rank', folder / 'rank')}"
    ranking = [f"--ranking_samples={flags.num_samples}", *score]
    compared = ["--features=classifier", "--metrics=fid,pr,realism"]
    lines = {
        "rank": line("rank", *one, fresh, *score),
        "describe": line("describe", *one, taken),
        "histograms": line("histograms", *one, taken, fresh),
        "accuracy": line("accuracy", *several, *entry, *ranking, fresh),
        "corner_cases": line("corner_cases", *one, taken),
        "compare": line("compare", *several, *entry, *ranking, fresh),
        "evaluate": line("evaluate", *one, fresh, *compared, *real),
        "reliability": shlex.join(report),
    }
    for place, name in enumerate(names[1:], 2):
        own = [f"--classifier={name}", *entry, fresh, *score]
        lines[f"rank-{place}"] = line(f"rank-{place}", *own, command="rank")
    return lines


def _as_given(flags: FlagValues, names: tuple[str, ...] | list[str]) -> list[str]:
    """Flags that the user gave, as arguments."""
    given = []
    for name in names:
        value = flags[name].value
        if not flags[name].present or value is None:
            continue
        if isinstance(value, bool):
            given.append(f"--{'' if value else 'no'}{name}")
        else:
            text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
            given.append(f"--{name}={text}")
    return given
