"""What breaks this classifier, or how does this generator fail? All studies that say so, one page.

Each study has a folder within the report's, so that another run of it takes what is there. The
analyses are those of Le Coz 2022 for a classifier, those of Choi 2022 for a generator alone.
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from ganfail_jax import results
from ganfail_jax.analysis.rates import Rates, early_layers
from ganfail_jax.data.pipelines import Dataset
from ganfail_jax.errors import InputError
from ganfail_jax.jobs import Job, Run
from ganfail_jax.metrics.features import Features
from ganfail_jax.reporting import findings, page
from ganfail_jax.reporting.sections import KINDS, Made
from ganfail_jax.results import Result, ResultError
from ganfail_jax.runtime import Sweep
from ganfail_jax.studies import (
    accuracy,
    activation_rates,
    compare,
    corner_cases,
    describe,
    detect,
    earlier,
    evaluate,
    histograms,
    rank,
    rankings,
    rates,
    reliability,
)
from ganfail_jax.studies.activation_rates import ActivationRates
from ganfail_jax.studies.images import ImageSet, of_samples
from ganfail_jax.studies.rankings import RankingSource
from ganfail_jax.studies.subject import GeneratorSubject, Subject
from ganfail_jax.types import Noise
from ganfail_jax.writing import only_writer

PAGE, CONTENT = "report.html", "report.json"
METRICS = ("fid", "pr", "realism")
ENDS = 25  # of so many samples one is in Top and one in Bottom, as in Choi 2022
MOST_ENDS = 2_000
OF_CLASSIFIERS = ("reliability", "rank", "describe", "histograms", "accuracy", "corner_cases")
OF_CLASSIFIERS += ("compare", "evaluate")
OF_SEVERAL = ("reliability", "accuracy", "compare")  # of all classifiers, the others of one
OF_RANKINGS = ("accuracy", "compare")  # need the ranking of every classifier
NEEDED = ("rank", "rates")  # by other studies
OF_GENERATORS = ("rates", "detect", "evaluate")


class Settings(NamedTuple):
    """What changes the results; each study has its own defaults for the rest."""

    num_samples: int = 10_000  # that rank, and as many fresh ones of each study
    seed: int = 0
    truncation_psi: float = 1.0
    score: str = "softmax"  # see `studies.rank.Settings`
    normalize: str = "none"


class Options(NamedTuple):
    """What is at hand beside the models, and what is wanted."""

    labelled: Dataset | None = None  # real images with classes, that no classifier was trained on
    real: ImageSet | None = None  # real images to compare with
    features: Features | None = None  # by which they are compared
    earlier: Mapping[str, str] = MappingProxyType({})  # folders of earlier results, by study
    studies: Collection[str] | None = None  # beside what these need; None: all


class Study(NamedTuple):
    """One study of the report: planned, an earlier result, or left out."""

    key: str
    folder: Path
    job: Job | None = None
    result: Result | None = None
    left_out: str = ""

    def run(self) -> tuple[Result | None, str]:
        """The result, or why there is none.

        Raises:
            InputError: its folder holds something else or cannot be written, or others need it.
        """
        if self.job is None:
            return self.result, self.left_out
        print(f"\n{self.key}: {KINDS[self.key.partition('-')[0]].question}", flush=True)
        try:
            return self.job.run(), ""
        except InputError as error:  # these samples do not allow this study
            if isinstance(error, ResultError) or self.key.partition("-")[0] in NEEDED:
                raise
            print(f"left out: {error}", flush=True)
            return None, str(error)


class Reporting(NamedTuple):
    """A report: everything is checked and loaded, nothing is computed yet."""

    folder: Path
    subject: str  # for a person
    classifier: str | None  # the one that is judged; None: a generator alone
    studies: Sequence[Study]
    commands: Mapping[str, str]  # that make each study alone, for a person

    def run(self) -> Path:
        """Run what is missing, and write the page and everything shown on it -> the page.

        Raises:
            InputError: the folder, or that of a study, holds other results, cannot be written, or
                another process writes there.
        """
        folder = results.writable_folder(self.folder)
        with only_writer(folder):
            made = []
            for study in self.studies:
                result, left_out = study.run()
                command = "" if study.job is None else self.commands.get(study.key, "")
                made.append(Made(study.key, study.folder, result, command, left_out))
            made.sort(key=lambda each: "-" in each.key)  # rankings of other classifiers come last
            report = findings.report(self.subject, self.classifier, made)
            html = page.render(report, _versions(made))
            with results.replace_file(folder / CONTENT) as path:
                content = results.without_nan(report.content())
                text = json.dumps(content, indent=2, allow_nan=False, default=str)
                path.write_text(text + "\n", "utf-8")
            with results.replace_file(folder / PAGE) as path:
                path.write_text(html, "utf-8")
        for warning in report.warnings:
            print(f"warning: {warning}")
        for line in (line for found in report.findings for line in found.sentences):
            print(line)
        print(f"results in {folder}\n  {folder / CONTENT}\n  {folder / PAGE}")
        return folder / PAGE


def _versions(made: Sequence[Made]) -> dict[str, str]:
    """What made the first result, for the last lines of the page."""
    first = next(each.result.provenance for each in made if each.result is not None)
    versions = ", ".join(f"{name} {text}" for name, text in first["versions"].items())
    return {"Made with": versions, "Device": first["device"], "Commit": str(first["git_commit"])}


def of_classifiers(
    subject: Subject,
    settings: Settings = Settings(),
    run: Run = Run(),
    options: Options = Options(),
    commands: Callable[[Path], Mapping[str, str]] = lambda _: {},
) -> Reporting:
    """The report of one classifier; several are compared with it.

    Args:
        commands: the commands that make each study alone, by the folder of the report.

    Raises:
        InputError: an earlier result is of other models, or nothing can be ranked.
    """
    folder = run.folder("report", *subject.names, settings.seed)
    plans = _plans(folder, run, options, subject.identity, OF_CLASSIFIERS)
    first, psi = subject.only(0), settings.truncation_psi
    ranked = [*_ranked(plans, subject, settings)]
    source = _source(ranked, subject, settings)
    fresh = (settings.num_samples, settings.seed, psi)
    own, several = source([0]), source(range(len(ranked)))

    def reliable(run: Run) -> Job:
        wanted = reliability.Settings(*fresh, first_index=own.num_samples)
        return reliability.plan(subject, wanted, run, options.labelled)

    def one_image(run: Run) -> Job:
        start = first.with_noise(_of_one_image(first.generator))
        wanted = corner_cases.Settings(settings.seed, psi)
        return corner_cases.plan(start, own, wanted, run)

    def described(run: Run) -> Job:
        wanted = describe.Settings(seed=settings.seed, truncation_psi=psi)
        return describe.plan(first, own, wanted, run)

    plan = plans.plan
    studies = [
        plan("reliability", reliable),
        *ranked,
        plan("describe", described, most=200),
        plan(
            "histograms", lambda r: histograms.plan(first, own, histograms.Settings(*fresh), run=r)
        ),
        plan("accuracy", lambda r: accuracy.plan(subject, several, accuracy.Settings(*fresh), r)),
        plan("corner_cases", one_image, most=50),
    ]
    if len(ranked) > 1:
        wanted = compare.Settings(*fresh)
        studies.append(plan("compare", lambda r: compare.plan(subject, several, wanted, r)))
    studies += _quality(plans, subject.generator, settings, options)
    studies = _wanted(studies, options.studies, OF_CLASSIFIERS)
    return Reporting(folder, subject.title, subject.classifiers[0], studies, commands(folder))


def of_generator(
    subject: GeneratorSubject,
    settings: Settings = Settings(),
    run: Run = Run(),
    options: Options = Options(),
    commands: Callable[[Path], Mapping[str, str]] = lambda _: {},
) -> Reporting:
    """The report of a generator alone.

    Args:
        commands: as of `of_classifiers`.

    Raises:
        InputError: truncation, with which no rates are counted, or an earlier result is of another
            generator.
    """
    if settings.truncation_psi != 1:
        raise InputError("rates are of images without truncation: leave --truncation_psi out")
    folder = run.folder("report", subject.name, settings.seed)
    plans = _plans(folder, run, options, subject.identity, OF_GENERATORS)
    n, seed = settings.num_samples, settings.seed
    own = subject.with_noise(_of_one_image(subject))
    counted = plans.plan("rates", lambda r: rates.plan(own, rates.Settings(n, seed), r))

    layers = early_layers(own.generator.layers)
    made = {"published": [], "noise": own.identity["noise"]}

    def counts(sweep: Sweep) -> Rates:
        return activation_rates.read(str(counted.folder), own, layers).rates(sweep)

    def detected(run: Run) -> Job:
        identity = {**activation_rates.Settings(n, seed)._asdict(), **made}
        source = ActivationRates(identity, layers, counts)
        if counted.result is not None:
            source = activation_rates.read(str(counted.folder), own, layers)
        return detect.plan(own, source, detect.Settings(n, seed, ends=ends_of(n)), run)

    studies = [counted, plans.plan("detect", detected)]
    studies += _quality(plans, subject, settings, options)
    studies = _wanted(studies, options.studies, OF_GENERATORS)
    return Reporting(folder, f"generator {subject.name}", None, studies, commands(folder))


def ends_of(num_samples: int) -> int:
    """Samples in Top and in Bottom, of so many."""
    return max(1, min(MOST_ENDS, num_samples // ENDS))


def _wanted(
    studies: Sequence[Study], names: Collection[str] | None, known: Sequence[str]
) -> list[Study]:
    """The studies of these names, and those that they need.

    Raises:
        InputError: there is no such study in this report.
    """
    if names is None:
        return [*studies]
    for name in names:
        if name not in known:
            raise InputError(f"this report has no {name!r}; its studies are {', '.join(known)}")
    kept = {*names, *NEEDED}
    if {*OF_RANKINGS} & kept:
        kept |= {study.key for study in studies if study.key.startswith("rank-")}
    return [study for study in studies if study.key in kept]


def _of_one_image(subject: GeneratorSubject) -> Noise:
    """The noise of one image before and after, and of rates: constant, unless there is none."""
    return "const" if subject.identity["noise"] == "random" else subject.identity["noise"]


class Plans(NamedTuple):
    """Where the studies of a report are, and what is there already."""

    folder: Path
    run: Run
    earlier: Mapping[str, str]
    identity: Mapping[str, Any]  # of the models

    def plan(self, key: str, make: Callable[[Run], Job], most: int | None = None) -> Study:
        """A study that is to run in its own folder, or the earlier result that takes its place.

        Args:
            most: images per step.

        Raises:
            InputError: the earlier result is of other models.
        """
        if key in self.earlier:
            return self.taken(key)
        folder = self.folder / key
        size = min(self.run.batch_size, most or self.run.batch_size)
        try:
            job = make(self.run._replace(out=str(folder), batch_size=size))
        except InputError as error:
            return Study(key, folder, left_out=str(error))
        return Study(key, folder, job)

    def taken(self, key: str) -> Study:
        """An earlier result; raises as `plan`."""
        folder, identity = self.earlier[key], dict(self.identity)
        models = ("generator",)
        if "classifier_sha256" in identity and key != "evaluate":
            models = ("generator", "classifier")
            if key not in OF_SEVERAL:
                identity["classifier_sha256"] = identity["classifier_sha256"][:1]
        return Study(key, Path(folder), result=earlier.read(folder, "results", identity, models))


def _plans(
    folder: Path, run: Run, options: Options, identity: Mapping[str, Any], keys: Sequence[str]
) -> Plans:
    """
    Raises:
        InputError: an earlier result is of a study that such a report does not have.
    """
    for key in options.earlier:
        if key not in keys:
            raise InputError(f"this report has no {key!r}; its studies are {', '.join(keys)}")
    return Plans(folder, run, options.earlier, identity)


def _ranked(plans: Plans, subject: Subject, settings: Settings) -> Iterator[Study]:
    """The ranking of every classifier.

    Raises:
        InputError: there is none of the first.
    """
    wanted = rank.Settings(**settings._asdict())
    for place in range(len(subject.models)):
        key = "rank" if not place else f"rank-{place + 1}"
        own = subject.only(place)
        if place == 0 and key in plans.earlier:
            made = dict(rankings.read(plans.earlier[key], own).identity)
            made.pop("noise")
            wanted = rank.Settings(**made)
        study = plans.plan(key, lambda run, own=own, wanted=wanted: rank.plan(own, wanted, run))
        if study.left_out:
            raise InputError(study.left_out)
        yield study


def _source(
    ranked: Sequence[Study], subject: Subject, settings: Settings
) -> Callable[[Sequence[int]], RankingSource]:
    """The rankings of some classifiers, read when they are needed."""
    first = ranked[0]
    if first.result is not None:
        identity = rankings.read(str(first.folder), subject.only(0)).identity
    else:
        identity = {**settings._asdict(), "noise": subject.identity["noise"]}

    def source(places: Sequence[int]) -> RankingSource:
        def read(sweep: Any) -> tuple[Any, ...]:
            sources = (rankings.read(str(ranked[i].folder), subject.only(i)) for i in places)
            return tuple(each.rankings(sweep)[0] for each in sources)

        return RankingSource(identity, read)

    return source


def _quality(
    plans: Plans, subject: GeneratorSubject, settings: Settings, options: Options
) -> list[Study]:
    """The generator beside real images, if there are any."""
    real, features = options.real, options.features
    if "evaluate" in plans.earlier:
        return [plans.taken("evaluate")]
    if real is None or features is None:
        return []
    n, seed, psi = settings.num_samples, settings.seed, settings.truncation_psi
    generated = of_samples(subject, n, seed=seed, truncation_psi=psi)

    def compared(run: Run) -> Job:
        return evaluate.plan(
            evaluate.Sets(generated, real, features),
            evaluate.Settings(dict.fromkeys(METRICS, n)),
            run,
            subject=f"generator {subject.name}",
            identity={**subject.identity, "seed": seed, "truncation_psi": psi},
            names=(subject.name, real.name, str(seed)),
        )

    return [plans.plan("evaluate", compared)]
