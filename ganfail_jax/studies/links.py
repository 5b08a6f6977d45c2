"""Where do the papers meet: failing dimensions, rarely activated neurons, a classifier's errors?

Beyond Le Coz 2022 and Choi 2022: does a move along a dimension that breaks the classifier activate
more LR neurons, does their number distinguish what is misclassified, and does their ablation turn
misclassified images into well classified ones? All on samples that made neither ranking nor rates.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from ganfail_jax import plots
from ganfail_jax.analysis import links
from ganfail_jax.analysis.ablation import Choice, parse_choice
from ganfail_jax.analysis.descriptions import observed_range, single_moves
from ganfail_jax.analysis.detection import Detected, Neurons, check_scores, detect
from ganfail_jax.analysis.detection_summary import format_area, tell
from ganfail_jax.analysis.links import MOVES, Shown
from ganfail_jax.analysis.ranking import Ranking
from ganfail_jax.analysis.rates import Rates, low_rate
from ganfail_jax.analysis.samples import Samples, collect, outcome_names, outcomes
from ganfail_jax.analysis.starts import starts_of
from ganfail_jax.errors import InputError
from ganfail_jax.jobs import Arrays, Job, Run, Summary
from ganfail_jax.results import Result, restore
from ganfail_jax.runtime import Sweep
from ganfail_jax.statistics import estimates
from ganfail_jax.statistics.intervals import show_entry, with_interval
from ganfail_jax.statistics.proportions import compare_paired
from ganfail_jax.studies import warnings
from ganfail_jax.studies.activation_rates import ActivationRates
from ganfail_jax.studies.rankings import RankingSource
from ganfail_jax.studies.subject import Subject

SETS = ("LR:0.1", "LR:0.3")


class Settings(NamedTuple):
    """What changes the result, beside the ranking and the rates."""

    num_samples: int = 10_000  # those that follow the samples of the ranking and of the rates
    seed: int = 0
    threshold: float = 0.3  # largest rate of an LR neuron
    top: int = 10  # dimensions along which samples are moved, and as many random ones
    moved: int = 400  # well classified samples that are moved
    deviations: float = 2.0  # length of a move, standard deviations of the dimension
    sets: Sequence[str] = SETS  # of neurons that are ablated: LR:R and HR:R


def plan(
    subject: Subject,
    rates: ActivationRates,
    ranking: RankingSource,
    settings: Settings = Settings(),
    run: Run = Run(),
) -> Job:
    """The job for one classifier; the layers are those of the rates.

    Raises:
        InputError: a set is not LR:R or HR:R, or there is none.
    """
    choices = [*map(parse_choice, settings.sets)]
    if not choices:
        raise InputError("there is no set of neurons to ablate; sets are LR:0.3, HR:0.7")
    for choice in choices:
        if choice.kind not in ("LR", "HR"):
            raise InputError(f"{choice} is a control, not a set; sets here are LR:0.3, HR:0.7")
    identity = {**subject.identity, **settings._asdict(), "layers": rates.layers}
    identity |= {"sets": list(settings.sets), "rates": rates.identity}
    return Job(
        folder=run.folder("links", *subject.names, settings.seed),
        identity=identity | {"ranking": dict(ranking.identity)},
        subject=subject.title,
        compute=partial(_compute, subject, (rates, ranking), settings, choices),
        draw=partial(_draw, subject.title),
        describe=_describe,
        settings=run,
    )


def _compute(
    subject: Subject,
    sources: tuple[ActivationRates, RankingSource],
    settings: Settings,
    choices: Sequence[Choice],
    sweep: Sweep,
) -> tuple[Summary, Arrays]:
    (models,) = subject.models
    rates, (ranking,) = sources[0].rates(sweep), sources[1].rankings(sweep)
    first, seed = max(source.num_samples for source in sources), settings.seed
    low, fresh = low_rate(rates, settings.threshold), {"first_index": first, "seed": seed}
    samples = collect([models], settings.num_samples, sweep.named("samples"), **fresh)
    generator, params = models.generator, models.generator_params
    counting = sweep.named("LR neurons")
    detected = detect(generator, params, low, settings.num_samples, counting, **fresh)
    check_scores(detected.score)
    moves, moved_arrays = _moves(subject, low, ranking, samples, settings)
    errors, areas = _errors(subject, detected, samples)
    ablations = _ablations(subject, rates, samples, settings, choices, sweep)
    shown = Shown(
        **moved_arrays,
        **areas,
        ablations=tuple(each["set"] for each in ablations),
        turned=np.asarray([(r["wrong_to_right"], r["right_to_wrong"]) for r in ablations]),
    )
    lines = warnings.of_rates(rates, settings.threshold) + warnings.of_ranking(ranking, subject)
    summary = {
        "warnings": [*dict.fromkeys(lines + warnings.of_samples(samples, subject))],
        "num_samples": settings.num_samples,
        "first_index": first,
        "layers": sources[0].layers,
        "threshold": settings.threshold,
        "outcomes": list(outcome_names(generator)),
        "wrong": int((~samples.right[0]).sum()),
        "lr_score": {"mean": float(detected.score.mean()), "std": float(detected.score.std())},
        "moves": moves,
        "errors": errors,
        "ablations": ablations,
    }
    arrays = {"score": detected.score, "right": samples.right[0], "target": samples.target}
    return summary, shown._asdict() | arrays


def _moves(
    subject: Subject, low: Neurons, ranking: Ranking, samples: Samples, settings: Settings
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Changes of the LR score, paired; and the fields of `Shown` that they make."""
    rows = np.flatnonzero(samples.right[0])[: settings.moved]
    if len(rows) < 2:
        right, _ = outcome_names(subject.generator.generator)
        raise InputError(f"fewer than two samples are {right}: nothing can be broken")
    start = starts_of(samples.styles, samples.logits[0], samples.target, samples.indices).take(rows)
    reaches = links.reaching(subject.models[0], [*low], start, ranking.style_std, settings.seed)
    order = ranking.order[0][reaches[ranking.order[0]]]
    top = min(settings.top, len(order) // 2)
    if top < 2:
        raise InputError(f"{', '.join(low)}: fewer than 4 dimensions reach these layers")
    rng = np.random.default_rng(settings.seed)
    dims = {"degrading": order[:top], "random": rng.choice(order[top:], top, replace=False)}
    moves = {name: single_moves(ranking, each, settings.deviations) for name, each in dims.items()}
    moves["opposite"] = -moves["degrading"]
    each = links.moved(
        subject.models[0],
        low,
        start,
        np.concatenate([np.zeros((1, len(reaches)), np.float32), *(moves[k] for k in MOVES)]),
        observed_range(samples.styles),
        seed=settings.seed,
        progress="moves",
    )
    change, softmax = (_changes(values, top) for values in (each.score, each.softmax))
    broken = (~each.right[1:]).mean(axis=1).reshape(len(MOVES), top)
    error = change.std(axis=2, ddof=1) / np.sqrt(len(rows))
    listed = {**dims, "opposite": dims["degrading"]}
    table = {
        name: [
            {
                "dimension": ranking.names[d],
                "direction": int(np.sign(moves[name][j, d])),
                "change": _mean(change[k, j]),
                "softmax": _mean(softmax[k, j]),
                "misclassified_afterwards": float(broken[k, j]),
            }
            for j, d in enumerate(listed[name])
        ]
        for k, name in enumerate(MOVES)
    }
    summary = {
        "moved": len(rows),
        "deviations": settings.deviations,
        "dimensions_that_reach": int(reaches.sum()),
        "top": settings.top,
        "top_that_reach": int(reaches[ranking.order[0, : settings.top]].sum()),
        "before": float(each.score[0].mean()),
        **table,
        "mean": _means(change),
    }
    names = {key: tuple(ranking.names[d] for d in own) for key, own in dims.items()}
    shown = {"dimensions": names["degrading"], "random": names["random"]}
    return summary, shown | {"change": change.mean(axis=2), "error": error}


def _changes(values: np.ndarray, top: int) -> Float[np.ndarray, "3 d n"]:
    """Differences from the first row, which is not moved, by the kinds of MOVES."""
    change = values[1:].astype(np.float64) - values[0]
    return change.reshape(len(MOVES), top, -1)


def _means(change: Float[np.ndarray, "3 d n"]) -> dict[str, Any]:
    """Over the dimensions of each kind; random ones are draws, the others are what they are."""
    degrading, opposite, random = change
    drawn = {"random": random, "degrading_minus_random": degrading.mean(axis=0) - random}
    means = {"degrading": _mean(degrading.mean(axis=0)), "opposite": _mean(opposite.mean(axis=0))}
    for name, values in drawn.items():
        mean = estimates.mean_over_draws(values)
        ends = mean.value - mean.reach, mean.value + mean.reach
        means[name] = with_interval(mean.value, ends)
    return means


def _mean(values: Float[np.ndarray, " n"]) -> dict[str, Any]:
    mean = estimates.mean(values)
    return with_interval(mean.value[0], [end[0] for end in mean.interval])


def _errors(
    subject: Subject, detected: Detected, samples: Samples
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Whether the score distinguishes errors; and the fields of `Shown` that this makes."""
    (models,), wrong = subject.models, ~samples.right[0]
    scores = {"sum": detected.score, "balanced": detected.balanced_score}
    conditional = bool(models.generator.num_classes)
    table = tell(scores, wrong, samples.target if conditional else None)
    everything = table["auc_within_classes" if conditional else "auc"]["sum"]
    areas, names = [everything], ["all, within classes" if conditional else "all"]
    classes = {}
    for each, name in enumerate(models.classifier.class_names if conditional else ()):
        own = samples.target == each
        part = tell({"sum": detected.score[own]}, wrong[own], None)
        classes[name] = part | {"auc": part["auc"]["sum"]}
        names.append(name)
        areas.append(classes[name]["auc"])
    shown = {
        "classes": tuple(names),
        "area": np.asarray([each["value"] for each in areas]),
        "area_interval": np.asarray([each["interval95"] for each in areas]),
    }
    return table | {"classes": classes}, shown


def _ablations(
    subject: Subject,
    rates: Rates,
    samples: Samples,
    settings: Settings,
    choices: Sequence[Choice],
    sweep: Sweep,
) -> list[dict[str, Any]]:
    """What each set turns, then what as many random neurons turn, on the same samples."""
    (models,) = subject.models
    first = int(samples.indices[0])
    logits = links.edited_logits(
        models, settings.num_samples, sweep, seed=settings.seed, first_index=first
    )

    def right(name: str, edits: links.EditsOf) -> np.ndarray:
        return outcomes(models.generator, logits(name, edits)[None], samples.target)[0]

    before, table = right("unedited", links.unedited(rates)), []
    for choice in choices:
        own = right(f"{choice}", links.ablated(choice, rates))
        random = links.as_many_at_random(choice, rates, settings.seed)
        control = right(f"as many as {choice}", random)
        versus = compare_paired(own, control)
        difference = with_interval(versus.difference, versus.interval)
        entry = {"set": str(choice), **_turned(before, own)}
        table += [
            entry | {"minus_random": difference | {"mcnemar_p": versus.p}},
            {"set": f"random, as many as {choice}", **_turned(before, control)},
        ]
    return table


def _turned(before: np.ndarray, after: np.ndarray) -> dict[str, Any]:
    """What an edit turns: McNemar's table of the same samples before and after."""
    pair = compare_paired(after, before)
    counts = pair.summary()
    return {
        "wrong": counts["only_a"] + counts["neither"],
        "wrong_to_right": counts["only_a"],
        "right_to_wrong": counts["only_b"],
        "net_share": with_interval(pair.difference, pair.interval),
        "mcnemar_p": pair.p,
    }


def _draw(title: str, folder: Path, result: Result) -> tuple[str, ...]:
    right, wrong = result.summary["outcomes"]
    return plots.links.draw(folder, restore(Shown, result.arrays), (right, wrong), title)


def _describe(summary: Summary) -> Iterator[str]:
    right, wrong = summary["outcomes"]
    score, moves = summary["lr_score"], summary["moves"]
    yield (
        f"{summary['num_samples']:,} samples from index {summary['first_index']:,} on, "
        f"{summary['wrong']:,} {wrong}; LR score (rate at most {summary['threshold']:g}): mean "
        f"{score['mean']:,.1f}, standard deviation {score['std']:,.1f}"
    )
    yield (
        f"1. {moves['moved']} {right} samples moved by {moves['deviations']:g} standard deviations "
        "along a dimension: mean change of the LR score [95 %]; of the true class's softmax"
    )
    yield (
        f"  {moves['dimensions_that_reach']:,} dimensions reach {', '.join(summary['layers'])}, "
        f"{moves['top_that_reach']} of the top {moves['top']}: the top of those, and "
        "others of those at random"
    )
    for name in MOVES:
        yield f"  {name}: {_raised(moves[name])}; mean {show_entry(moves['mean'][name], '+.1f')}"
        for each in moves[name] if name != "opposite" else ():
            sign = "+" if each["direction"] > 0 else "-"
            yield (
                f"    {each['dimension']:<18} {sign}  {show_entry(each['change'], '+.1f')}; "
                f"softmax {show_entry(each['softmax'], '+.3f')}"
            )
    difference = moves["mean"]["degrading_minus_random"]
    yield f"  degrading minus random: {show_entry(difference, '+.1f')}"
    yield f"2. does the LR score distinguish {wrong} samples? Area under the ROC curve (0.5: no):"
    for part, where in (("auc", "all"), ("auc_within_classes", "within classes")):
        for kind, area in summary["errors"].get(part, {}).items():
            yield f"  {kind}, {where}: {format_area(area)}"
    for name, each in summary["errors"]["classes"].items():
        yield f"    sum, class {name}: {format_area(each['auc'])}; {each['positive']:,} {wrong}"
    yield f"3. samples that ablation turns, of {summary['ablations'][0]['wrong']:,} {wrong}:"
    for each in summary["ablations"]:
        yield (
            f"  {each['set']}: {each['wrong_to_right']:,} to {right}, {each['right_to_wrong']:,} "
            f"to {wrong}; net {show_entry(each['net_share'], '+.2%')} of all samples, "
            f"McNemar p = {show_p(each['mcnemar_p'])}"
        )
        if "minus_random" in each:
            versus = each["minus_random"]
            yield (
                f"    minus as many at random: {show_entry(versus, '+.2%')}, "
                f"McNemar p = {show_p(versus['mcnemar_p'])}"
            )


def _raised(table: Sequence[dict[str, Any]]) -> str:
    """How many dimensions change the score, each by its own interval."""
    ends = np.asarray([each["change"]["interval95"] for each in table])
    up, down = int((ends[:, 0] > 0).sum()), int((ends[:, 1] < 0).sum())
    return f"{up} of {len(table)} dimensions raise it, {down} lower it"


def show_p(p: float) -> str:
    """For a person; the binomial probabilities of thousands of samples can underflow."""
    return f"{p:.2g}" if p > 1e-300 else "below 1e-300"
