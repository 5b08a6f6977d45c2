"""Which smallest degradations turn an image of each class over? (Le Coz 2022, sec. 3.4, fig. 7)

From one start per class: along single dimensions of the ranking, and over several jointly.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Shaped

from ganfail_jax import plots
from ganfail_jax.analysis import corner_cases, crossing, joint, starts
from ganfail_jax.analysis.corner_cases import CornerCases, Shown
from ganfail_jax.analysis.joint import JointMoves
from ganfail_jax.analysis.outputs import Models
from ganfail_jax.analysis.ranking import Ranking
from ganfail_jax.analysis.starts import Starts
from ganfail_jax.analysis.views import Views, views_of
from ganfail_jax.data.label_table import LARGEST
from ganfail_jax.errors import InputError
from ganfail_jax.jobs import Arrays, Job, Run, Summary
from ganfail_jax.names import last_part
from ganfail_jax.results import Result, restore
from ganfail_jax.runtime import Sweep
from ganfail_jax.studies import warnings
from ganfail_jax.studies.rankings import RankingSource
from ganfail_jax.studies.subject import Subject, check_gradient, check_truncation, class_index

Styles = Float[np.ndarray, "n s"]


class Settings(NamedTuple):
    """What changes the result, beside the ranking."""

    seed: int = 0
    truncation_psi: float = 1.0
    start: str = "mean"  # of each class; "7": the first confident sample of each class from 7 on;
    # else the name of the styles that are given
    classes: Sequence[str] | None = None  # None: all
    per_class: bool = True  # dimensions by their influence on the class, not on all
    top: int = 10  # corner cases shown per class
    search: int = 40  # dimensions searched for them, at least joint_dims
    limit: float = 20.0  # largest shift tried, in standard deviations
    grid: int = 24  # steps up to the limit that bracket a corner case
    joint_dims: int = 10  # top dimensions that move jointly
    draws: int = 32  # random directions that a joint corner case is compared to


def plan(
    subject: Subject,
    source: RankingSource,
    settings: Settings = Settings(),
    run: Run = Run(50),
    styles: Shaped[np.ndarray, "..."] | None = None,
) -> Job:
    """The job for one classifier.

    Args:
        styles: where to start: one style [s], of the class predicted, or one per class [k, s].

    Raises:
        InputError: an unknown start or class, styles of another shape, or truncation of a generator
            without any, or a classifier without a gradient.
    """
    check_truncation(subject.generator, settings.truncation_psi)
    check_gradient(subject, "joint corner cases need one")
    (models,) = subject.models
    _class_indices(models, settings)
    identity = {**subject.identity, **settings._asdict(), "ranking": dict(source.identity)}
    if styles is None:
        _check_start(models, settings.start)
    else:
        styles = _checked_styles(styles, models, settings)
        identity["start_sha256"] = sha256(styles.tobytes()).hexdigest()
    return Job(
        folder=run.folder("corner_cases", *subject.names, settings.seed),
        identity=identity,
        subject=subject.title,
        compute=partial(_compute, subject, source, settings, styles),
        draw=partial(_draw, subject.title),
        describe=_describe,
        settings=run,
    )


def _class_indices(models: Models, settings: Settings) -> list[int]:
    if settings.classes is None:
        return list(range(models.classifier.num_classes))
    if not settings.classes:
        raise InputError("--classes is empty; leave it out for all classes")
    return [class_index(name, models.classifier) for name in dict.fromkeys(settings.classes)]


def _check_start(models: Models, start: str) -> None:
    if start == "mean":
        return
    if not start.isdecimal():
        raise InputError(f"--start={start} is neither mean, nor a number, nor a .npy or .npz file")
    last = LARGEST["index"] - starts.TRIES * models.classifier.num_classes
    if int(start) > last:
        raise InputError(f"--start={start} is beyond the last sample, {last}")


def _checked_styles(styles: np.ndarray, models: Models, settings: Settings) -> Styles:
    s, k = sum(models.generator.style_dims.values()), models.classifier.num_classes
    if styles.shape not in ((s,), (1, s), (k, s)):
        raise InputError(
            f"{settings.start} holds {styles.shape}; a style is ({s},), one for each class ({k}, "
            f"{s})"
        )
    if not np.issubdtype(styles.dtype, np.number) or not np.isfinite(styles).all():
        raise InputError(f"{settings.start} holds something other than finite numbers")
    styles = styles.astype(np.float32).reshape(-1, s)
    if len(styles) == 1 and settings.classes is not None:
        raise InputError("a single style is of the class predicted: leave --classes out")
    return styles


def _compute(
    subject: Subject,
    source: RankingSource,
    settings: Settings,
    styles: Styles | None,
    sweep: Sweep,
) -> tuple[Summary, Arrays]:
    (models,), (ranking,) = subject.models, source.rankings(sweep)
    views = views_of(models, sweep.batch_size, settings.seed)
    every, missing = _find_starts(views, ranking, settings, styles)
    begun = every.take(every.softmax > crossing.LEVEL)
    if not len(begun.target):
        raise InputError("no start is classified as its class; choose another --start")
    cases, moves = _search(views, ranking, begun, settings)
    summary = corner_cases.summary(ranking, every, begun, cases)
    summary |= {"warnings": warnings.of_ranking(ranking, subject)}
    for name, move in joint.summary(ranking, begun, moves).items():
        summary["classes"][name]["joint"] = move
    summary |= {
        "range_std": settings.limit,
        "joint_dimensions": int(moves.dims.shape[1]),
        "random_directions": settings.draws,
        "classes_without_a_start": missing,
    }
    shown = Shown(
        names=ranking.names,
        class_names=models.classifier.class_names,
        limit=settings.limit,
        conditional=models.generator.num_classes > 0,
        start=_start_name(settings.start, styles),
        start_target=begun.target,
        start_samples=begun.samples,
        start_styles=begun.styles,
    )
    arrays = shown._asdict() | cases._asdict()
    return summary, arrays | {f"joint_{name}": a for name, a in moves._asdict().items()}


def _find_starts(
    views: Views, ranking: Ranking, settings: Settings, styles: Styles | None
) -> tuple[Starts, list[str]]:
    """The points to start from, and the names of the classes without one."""
    classes = _class_indices(views.models, settings)
    if styles is not None and len(styles) == 1:
        return starts.at_styles(views, styles), []  # of the class predicted
    if styles is not None:
        points = starts.at_styles(views, styles[classes], np.asarray(classes))
    elif settings.start == "mean":
        points = starts.class_means(views, ranking, classes)
    else:
        index, psi = int(settings.start), settings.truncation_psi
        points = starts.confident_samples(views, classes, first_index=index, truncation_psi=psi)
    names = views.models.classifier.class_names
    return points, [names[each] for each in classes if each not in points.target]


def _search(
    views: Views, ranking: Ranking, begun: Starts, settings: Settings
) -> tuple[CornerCases, JointMoves]:
    """Along single dimensions, then over several at once, which begins from the single ones."""
    searched = max(settings.search, settings.joint_dims)
    print(f"searching {searched} dimensions of {len(begun.target)} classes", flush=True)
    cases = corner_cases.corner_cases(
        views,
        ranking,
        begun,
        searched=searched,
        top=settings.top,
        per_class=settings.per_class,
        limit=settings.limit,
        grid=settings.grid,
    )
    dims = settings.joint_dims
    print(f"searching the smallest joint move over {dims} dimensions", flush=True)
    search = joint.Search(settings.limit, settings.grid, settings.draws, seed=settings.seed)
    return cases, joint.joint_moves(views, ranking, begun, cases, dims, search)


def _start_name(start: str, styles: Styles | None) -> str:
    """What the starts are, for the figure."""
    if styles is not None:
        return f"a style of {last_part(start)}"
    return "its mean style" if start == "mean" else f"a sample from {start} on"


def _draw(title: str, folder: Path, result: Result) -> tuple[str, ...]:
    cases, shown = (restore(record, result.arrays) for record in (CornerCases, Shown))
    moves = restore(JointMoves, result.arrays, "joint_")
    return plots.corner_cases.draw(folder, cases, moves, shown, title)


def _describe(summary: Summary) -> Iterator[str]:
    limit = summary["range_std"]
    yield (
        f"{summary['crossings']} corner cases within {limit:g} standard deviations; in "
        f"{summary['crossings_with_unchanged_prediction_1%_above']} of them the true class, though "
        "below 0.50, is still the largest output 1 % further"
    )
    if summary["classes_without_a_start"]:
        yield f"no start for class {', '.join(summary['classes_without_a_start'])}"
    for name, start in summary["starts_not_classified_as_their_class"].items():
        yield (
            f"class {name} is left out: its start has softmax {start['softmax']:.2f}, "
            f"predicted {start['predicted']}"
        )
    for name, content in summary["classes"].items():
        yield (
            f"class {name}: {content['dimensions_with_effect']} of "
            f"{summary['dimensions_searched']} dimensions reach 0.50 within {limit:g} std"
        )
        for case in content["corner_cases"][:3]:
            sign = "+" if case["degrading_direction"] > 0 else "-"
            yield (
                f"  {case['dimension']:<18} {sign}  {case['shift_std']:5.2f} std = "
                f"{case['shift_raw']:.2f} raw → {case['instead']}"
            )
        if content["without_effect"]:
            yield f"  skipped, not reached: {', '.join(content['without_effect'][:4])}, ..."
        yield _joint_line(content["joint"], summary)


def _joint_line(move: Mapping[str, Any], summary: Summary) -> str:
    lengths = move["length_std"], move["best_single_std"], move["random_quartiles_std"][1]
    above = f"above {summary['range_std']:g}"
    length, single, median = (above if x is None else f"{x:.2f}" for x in lengths)
    return (
        f"  jointly over {summary['joint_dimensions']}: length {length} std → {move['instead']}; "
        f"best single {single}; {move['random_share_that_flips']:.0%} of "
        f"{summary['random_directions']} random directions reach 0.50, median length {median}"
    )
