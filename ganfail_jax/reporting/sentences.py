"""What the numbers of the studies of a classifier say, in sentences.

Pure functions of summaries (result.json). A sentence claims a difference only where the 95 %
interval excludes none, and says so where it does not.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import scipy

from ganfail_jax.statistics.intervals import Z95, show, with_interval
from ganfail_jax.statistics.proportions import wilson

Summary = Mapping[str, Any]
LEVEL = 0.05  # of tests
MODES = 3  # failure modes on the first screen
PAIRS = 3  # mistakes on the first screen
CLASSES = 5  # listed in one sentence
ORDINARY = 0.95  # share of a population that is not far from its mean
HIGH_OVERLAP, LOW_OVERLAP = 0.8, 0.5  # of the top dimensions in bootstrap replicates
QUALITY = {  # metrics on the first screen, in words
    "FID": "Distance of generated from real images (FID; 0: none)",
    "precision": "Share of generated images among the real ones (precision)",
    "recall": "Share of real images among the generated ones (recall)",
}


def percent(entry: Mapping[str, Any], digits: int = 1) -> str:
    """Such as "5.9 % [5.4 %, 6.4 %]"; "an unknown share" of nothing."""
    value, (low, high) = entry["value"], entry["interval95"]
    if value is None or np.isnan(value):
        return "an unknown share"
    if None in (low, high) or np.isnan([low, high]).any():
        return rate(value, digits)
    return f"{rate(value, digits)} [{rate(low, digits)}, {rate(high, digits)}]"


def rate(value: float, digits: int = 0) -> str:
    """A share, such as "89 %"."""
    return f"{100 * value:.{digits}f} %"


def points(value: float, interval: Sequence[float]) -> str:
    """A difference of shares, such as "+0.7 points [-0.1, +1.5]"."""
    low, high = (100 * end for end in interval)
    return f"{100 * value:+.1f} points [{low:+.1f}, {high:+.1f}]"


def sign(interval: Sequence[float | None] | None) -> int:
    """1 or -1: the interval excludes 0 and is above or below it; 0: it does not, or is unknown."""
    if interval is None or any(end is None or np.isnan(end) for end in interval):
        return 0
    low, high = (float(end) for end in interval if end is not None)
    return 1 if low > 0 else -1 if high < 0 else 0


def joined(parts: Sequence[str]) -> str:
    """Such as "a, b and c"."""
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last


def _some(names: Sequence[str]) -> str:
    """The first of many."""
    more = len(names) - CLASSES
    return joined([*names[:CLASSES], f"{more} more"] if more > 0 else names)


def failing(summary: Summary) -> str:
    """How often the classifier fails.

    Args:
        summary: of `studies.reliability`.
    """
    entry = summary["failing"]
    return (
        f"{percent(entry)} of {entry['of']:,} generated images are {summary['failing_means']} by "
        f"{summary['classifier']}."
    )


def failure_modes(summary: Summary) -> list[str]:
    """What makes well classified images fail, the largest loss of confidence first.

    Args:
        summary: of `studies.describe`.
    """
    modes = list(enumerate(summary["failure_modes"], 1))  # numbered as in figures and tables
    modes.sort(key=lambda numbered: numbered[1]["softmax_of_true_class"]["value"])
    lines = [
        f"Change {number}, {failure_mode(mode, summary['moved'])}" for number, mode in modes[:MODES]
    ]
    more = len(modes) - MODES
    return [*lines, f"Changes that do less harm: {more}, see below."] if more > 0 else lines


def failure_mode(mode: Mapping[str, Any], moved: int) -> str:
    """One of them; see `failure_modes`.

    Args:
        moved: well classified images that were changed.
    """
    loss, count = mode["softmax_of_true_class"], len(mode["dimensions"])
    change = f"{mode['words']} ({count} dimension{'s' if count > 1 else ''})"
    value, interval = loss["value"], loss["interval95"]
    direction = sign(interval)
    if direction == 0:
        low, high = interval
        return (
            f"{change}: no effect on the confidence in the right class is shown, {value:+.3f} "
            f"[{low:+.3f}, {high:+.3f}]."
        )
    low, high = sorted(map(abs, interval))
    verb = "falls" if direction < 0 else "rises"
    return (
        f"{change}: the confidence in the right class {verb} by {abs(value):.3f} [{low:.3f}, "
        f"{high:.3f}], and {percent(broken(mode, moved))} of {moved:,} well classified images "
        "become misclassified."
    )


def broken(mode: Mapping[str, Any], moved: int) -> dict[str, Any]:
    """The share of well classified images that a failure mode breaks, with its interval."""
    hits = round(mode["misclassified_afterwards"] * moved)
    interval = wilson(np.asarray(hits), np.asarray(moved)).tolist()
    return with_interval(hits / moved if moved else np.nan, interval)


def contrast(summary: Summary) -> str:
    """How images that fail differ from others; `summary` is of `studies.describe`."""
    found = summary["misclassified"]
    counts = f"{found['misclassified']:,} against {found['well_classified']:,} images"
    if found["words"] == "no simple word":
        return (
            "Images that fail are not shown to differ from others of their classes in anything "
            f"that has a simple word ({counts})."
        )
    return f"Images that fail, beside others of their classes: {found['words']} ({counts})."


def classes(summary: Summary) -> list[str]:
    """Which classes fail more often than the others, and what they are taken for.

    Fisher's exact test of each class against all others, corrected for their number (Bonferroni).

    Args:
        summary: of `studies.reliability`.
    """
    if not summary["classes_known"]:
        return ["The generator has no classes: which of them fail cannot be counted."]
    entries = {name: each for name, each in summary["classes"].items() if each["of"]}
    if len(entries) < 2:
        return []
    more = [name for name in by_failures(entries) if _compared(entries, name) > 0]
    less = [name for name in reversed(by_failures(entries)) if _compared(entries, name) < 0]
    lines = []
    if more:
        listed = _listed(entries, more)
        lines.append(f"It fails more often on class {listed} than on the others.")
    else:
        worst = by_failures(entries)[0]
        lines.append(
            "On no class does it fail significantly more often than on the others; the highest "
            f"share has {worst} ({percent(entries[worst])})."
        )
    if less:
        lines.append(f"Less often on class {_listed(entries, less)}.")
    pairs = summary["confusions"][:PAIRS]
    if pairs:
        listed = [f"{p['class']} for {p['taken_for']} ({p['samples']:,} images)" for p in pairs]
        lines.append(f"Most frequent mistakes: it takes {joined(listed)}.")
    return lines


def _listed(entries: Mapping[str, Any], names: Sequence[str]) -> str:
    """Classes with their shares, the first ones where there are many."""
    shown = [f"{name} ({percent(entries[name])})" for name in names[:CLASSES]]
    more = len(names) - CLASSES
    return joined([*shown, f"{more} more"] if more > 0 else shown)


def by_failures(entries: Mapping[str, Any]) -> list[str]:
    """The names of classes by falling share of failures."""
    return sorted(entries, key=lambda name: -entries[name]["value"])


def _compared(entries: Mapping[str, Any], name: str) -> int:
    """1 or -1: this class fails significantly more or less often than all others; else 0."""
    own = entries[name]
    hits = sum(each["hits"] for each in entries.values()) - own["hits"]
    size = sum(each["of"] for each in entries.values()) - own["of"]
    table = [[own["hits"], own["of"] - own["hits"]], [hits, size - hits]]
    p = float(scipy.stats.fisher_exact(table).pvalue)  # pyright: ignore
    if p * len(entries) >= LEVEL or not size:
        return 0
    return 1 if own["hits"] / own["of"] > hits / size else -1


def distance(summary: Summary, classifier: str) -> str:
    """How accuracy falls with the distance from the ordinary; curves may be too sparse to say.

    Args:
        summary: of `studies.accuracy`.
    """
    curve = summary["comparisons"]["own"]["curves"].get(classifier, {})
    value, interval = curve.get("slope"), curve.get("slope_interval95")
    direction = sign(interval)
    if value is None or direction == 0:
        return (
            "It is not shown that accuracy changes with the distance from the average of the well "
            "classified images" + ("." if value is None else f": {points(value, interval)}.")
        )
    verb = "falls" if direction < 0 else "rises"
    low, high = sorted(abs(100 * end) for end in interval)
    return (
        f"Accuracy {verb} by {abs(100 * value):.2f} [{low:.2f}, {high:.2f}] percentage points per "
        "standard deviation of distance from the average of the well classified images."
    )


def corner_cases(summary: Summary) -> list[str]:
    """How far the smallest change is that breaks an image of each class.

    Args:
        summary: of `studies.corner_cases`.
    """
    lengths = {name: each["joint"]["length_std"] for name, each in summary["classes"].items()}
    reached = {name: x for name, x in lengths.items() if x is not None}
    limit, lines = summary["range_std"], []
    if reached:
        nearest, farthest = (choose(reached, key=lambda n: reached[n]) for choose in (min, max))
        dims, median = summary["joint_dimensions"], float(np.median(list(reached.values())))
        ordinary = float(np.sqrt(scipy.stats.chi2.ppf(ORDINARY, dims)))
        inside = sum(length <= ordinary for length in reached.values())
        lines.append(
            f"From the starting image of a class, the smallest joint change of {dims} dimensions "
            f"that takes the confidence to 0.50 measures {reached[nearest]:.1f} (class {nearest}) "
            f"to {reached[farthest]:.1f} (class {farthest}) standard deviations, median "
            f"{median:.1f}. For {inside} of {len(lengths)} classes that is within {ordinary:.1f}, "
            f"which holds {rate(ORDINARY)} of a normal population in {dims} independent dimensions."
        )
    missing = [name for name, x in lengths.items() if x is None]
    if missing:
        lines.append(
            f"For class {_some(missing)} no change within {limit:g} standard deviations does it."
        )
    left_out = [*summary["starts_not_classified_as_their_class"]]
    left_out += summary["classes_without_a_start"]
    if left_out:
        lines.append(
            f"Class {_some(left_out)} is left out: its starting image is not classified as it."
        )
    return lines


def stability(summary: Summary) -> str:
    """How far the top dimensions depend on the samples drawn; `summary` is of `studies.rank`."""
    group = summary["groups"]["all"]
    overlap = group["bootstrap_overlap_of_top"]
    if overlap is None:
        return "How stable the list of harmful dimensions is, is not known."
    word = "stable" if overlap >= HIGH_OVERLAP else "unstable" if overlap < LOW_OVERLAP else "fair"
    n = len(group["top"])
    return (
        f"The list of the {n} most harmful dimensions is {word}: on average {rate(overlap)} of it "
        f"recurs when the {group['samples']:,} images are drawn again (bootstrap)."
    )


def push(summary: Summary) -> str:
    """Whether the top dimensions break fresh samples more than random ones do.

    The interval of the difference takes the two means as independent; they are of the same
    samples, so it is too wide rather than too narrow.

    Args:
        summary: of `studies.rank`.
    """
    effect = summary["push_test"]
    reach = effect.get("reach") or [Z95 * error for error in effect["standard_errors"]]
    difference = effect["top"] - effect["random"]
    half = float(np.hypot(reach[1], reach[2]))
    low, high = difference - half, difference + half
    numbers = (
        f"{effect['before']:.3f} before, {effect['top']:.3f} after one standard deviation along "
        f"the top {effect['dimensions']}, {effect['random']:.3f} along as many random ones "
        f"(difference {difference:+.3f} [{low:+.3f}, {high:+.3f}])"
    )
    test = f"On {effect['num_samples']:,} fresh images"
    direction = sign((low, high))
    if direction < 0:
        return f"{test} they lower the confidence more than random ones do: {numbers}."
    if direction > 0:
        return f"{test} they do less harm than random ones, so the ranking misleads: {numbers}."
    return f"{test} they are not shown to do more harm than random ones: {numbers}."


def separation(summary: Summary) -> str:
    """Whether failing samples lie further along the top dimensions; of `studies.histograms`."""
    found, top = summary["groups"]["all"]["separation"], summary["dimensions_compared"]
    if found is None:
        return "Too few images of one outcome: whether they differ along the dimensions is unknown."
    medians = found["median_auc"]
    own, rest, difference = (medians[key] for key in ("top", "rest", "top_minus_rest"))
    low, high = difference["interval95"]
    numbers = (
        f"a failing image lies further along a top dimension than another with a chance of "
        f"{rate(own['value'], 1)}, along other dimensions {rate(rest['value'], 1)} (medians; "
        f"difference {points(difference['value'], (low, high))}; 50 %: no difference)"
    )
    direction = sign((low, high))
    if direction > 0:
        return f"Failures lie along the top {top} dimensions: {numbers}."
    if direction < 0:
        return f"Failures lie less along the top {top} dimensions than along others: {numbers}."
    return f"It is not shown that failures lie along the top {top} dimensions: {numbers}."


def second_opinion(summary: Summary) -> list[str]:
    """Whether images show the class asked for, by other classifiers; of `studies.reliability`."""
    if not summary["classes_known"]:
        return []
    if not summary["others"]:
        return [
            "No second classifier was given: whether generated images show their class is unknown."
        ]
    lines = []
    for name, other in summary["others"].items():
        wrong = other["failures_as_the_first_does"]
        lines.append(
            f"A second classifier, {name}, sees the class asked for in "
            f"{percent(other['sees_the_class'])} of the images. "
            + (
                f"Of the failures it repeats {percent(wrong)} with the same wrong class; those "
                "images may show that class, and be the generator's failures."
                if wrong["of"]
                else "There are no failures to ask it about."
            )
        )
    return lines


def real_errors(summary: Summary) -> str:
    """Errors on real images beside those on generated ones; of `studies.reliability`."""
    real = summary["real"]
    if real is None:
        return (
            "No labelled real images were at hand: how many of the failures are the generator's "
            "is unknown."
        )
    made, errors = summary["failing"], real["failing"][summary["classifier"]]
    difference = made["value"] - errors["value"]
    spread = [each["value"] * (1 - each["value"]) / each["of"] for each in (made, errors)]
    half = Z95 * float(np.sqrt(sum(spread)))
    interval = difference - half, difference + half
    numbers = (
        f"{percent(errors)} of {errors['of']:,} real images ({real['name']}) are misclassified, "
        f"{percent(made)} of the generated ones (difference {points(difference, interval)})"
    )
    direction = sign(interval)
    if direction == 0:
        return f"Real and generated images are not shown to fail unequally often: {numbers}."
    if direction < 0:
        return (
            f"Real images fail more often than generated ones, so this report misses failures: "
            f"{numbers}."
        )
    share = with_interval(*_unexplained(made, errors))
    return (
        f"Generated images fail more often than real ones: {numbers}. About {percent(share, 0)} of "
        "the failures here have no counterpart among real images: they may be the generator's."
    )


def _unexplained(made: Mapping[str, Any], real: Mapping[str, Any]) -> tuple[float, list[float]]:
    """1 - ratio of the errors on real and on generated images, Katz's interval of the ratio."""
    ratio = real["value"] / made["value"]
    if not real["hits"]:
        return 1.0, [np.nan, np.nan]
    error = np.sqrt(sum(1 / each["hits"] - 1 / each["of"] for each in (real, made)))
    low, high = ratio * np.exp(-Z95 * error), ratio * np.exp(Z95 * error)
    return 1 - ratio, [max(0.0, 1 - float(high)), 1 - float(low)]


def quality(summary: Summary) -> list[str]:
    """How far generated images are from real ones; of `studies.evaluate`."""
    measured = {each["metric"]: each for each in summary["measurements"]}
    lines = []
    for metric, meaning in QUALITY.items():
        if metric in measured:
            each = measured[metric]
            value = show(each["value"], each["interval"], ".3g")
            sizes = " and ".join(f"{n:,} {name}" for name, n in each["samples"].items())
            lines.append(f"{meaning}: {value}, {sizes} images, on {each['features']}.")
    return lines


def compared(summary: Summary) -> list[str]:
    """Which of two classifiers is right more often; of `studies.compare`."""
    lines = []
    for pair in summary["pairs"]:
        found = pair["samples"]["all"]
        shared = len(pair["rankings"]["all"]["shared"])
        size = points(found["difference"], found["interval95"])
        direction = sign(found["interval95"])
        if direction == 0:
            says = f"{pair['a']} and {pair['b']} are not shown to differ: {size}"
        else:
            better, worse = (pair["a"], pair["b"]) if direction > 0 else (pair["b"], pair["a"])
            says = (
                f"{better} is more often {summary['outcome']} than {worse}: {pair['a']} minus "
                f"{pair['b']} {size}"
            )
        lines.append(
            f"{says}, on the same {summary['samples']:,} images. Of their most harmful dimensions "
            f"{shared} are the same, in the same direction."
        )
    return lines


LIMITS = (
    "Only what the generator can draw is searched: failures on images that it never makes do not "
    "show here.",
    "Intervals are of 95 % and cover the drawing of images, not the choice of generator; numbers "
    "say how often the generator's images fail, not how often images fail in use.",
)


def rates(summary: Summary) -> list[str]:
    """How many neurons are rarely activated; of `studies.rates`."""
    layers = summary["layers"].values()
    low, never, total = (
        sum(layer[key] for layer in layers) for key in ("low_rate", "never_activated", "neurons")
    )
    return [
        f"{low:,} of {total:,} neurons of the layers counted ({rate(low / total, 1)}) are rarely "
        f"activated (LR): by at most {rate(summary['threshold'])} of {summary['num_samples']:,} "
        f"images; {never:,} of them never."
    ]


def detected(summary: Summary) -> list[str]:
    """Which samples activate the most rarely activated neurons; of `studies.detect`."""
    score = summary["score"]
    return [
        f"An image activates {score['mean']:,.1f} LR neurons on average (standard deviation "
        f"{score['standard_deviation']:,.1f}); the {summary['ends']:,} highest of "
        f"{summary['num_samples']:,} activate {score['top_from']:,.0f} or more. The paper finds "
        "artifacts there; whether this generator's are, the pictures below let you judge: no "
        "labels were given.",
    ]
