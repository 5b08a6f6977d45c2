"""Each study of a report as a section: conclusions, figures, tables, method and provenance."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ganfail_jax import results
from ganfail_jax.reporting import sentences
from ganfail_jax.reporting.content import Cell, Figure, Section, Table, estimate, number, text
from ganfail_jax.results import Result

Summary = Mapping[str, Any]


class Made(NamedTuple):
    """A study of a report, as it ended."""

    key: str
    folder: Path
    result: Result | None
    command: str = ""  # that makes it
    left_out: str = ""  # why there is no result


class Kind(NamedTuple):
    """How one study is shown."""

    question: str
    conclude: Callable[[Summary], Sequence[str]]
    tabulate: Callable[[Summary], Sequence[Table]]
    figures: Mapping[str, str]  # file, with * for whatever there is -> what it shows
    method: Sequence[str]


def section(made: Made) -> Section:
    """
    Raises:
        ResultError: the result is of another version, or of another study.
    """
    name, _, which = made.key.partition("-")
    kind = KINDS[name]
    question = kind.question if not which else f"{kind.question} (classifier {which})"
    if made.result is None:
        return Section(made.key, question, method=kind.method, left_out=made.left_out)
    summary = made.result.summary
    with results.of_this_version(made.folder):
        conclusions, tables = kind.conclude(summary), kind.tabulate(summary)
    return Section(
        key=made.key,
        question=question,
        conclusions=conclusions,
        figures=[
            Figure(file, shows)
            for pattern, shows in kind.figures.items()
            for file in sorted(made.folder.glob(pattern))
        ],
        tables=tables,
        method=kind.method,
        command=made.command,
        warnings=_warnings(summary),
        provenance=_provenance(made.folder, made.result),
    )


def _warnings(summary: Summary) -> list[str]:
    """Of the study, and of what it measured."""
    measured = [line for each in summary.get("measurements", ()) for line in each["warnings"]]
    return [*summary.get("warnings", ()), *measured]


def _provenance(folder: Path, result: Result) -> dict[str, Any]:
    """What made a result, without the flags, which the command has."""
    made = {k: v for k, v in result.provenance.items() if k != "flags"}
    return {"folder": str(folder), "seconds": result.summary.get("seconds"), **made}


def _sign(direction: int) -> str:
    return "+" if direction > 0 else "-"


def _ranked(summary: Summary) -> list[Table]:
    rows = [
        (
            text(each["dimension"]),
            text(_sign(each["degrading_direction"])),
            estimate({"value": each["score"]} | each, "+.4f"),
            number(each["bootstrap_share_in_top"], ".0%"),
        )
        for each in summary["groups"]["all"]["top"]
    ]
    columns = ("dimension", "breaking direction", "score [95 %]", "in the top of replicates")
    return [Table("The most harmful dimensions of the generator", columns, rows)]


def _described(summary: Summary) -> list[Table]:
    modes = [
        (
            number(place, "d"),
            text(mode["words"]),
            text(", ".join(_move(each) for each in mode["dimensions"])),
            estimate(mode["softmax_of_true_class"], "+.3f"),
            estimate(_per_cent(sentences.broken(mode, summary["moved"])), ".1f"),
            text(", ".join(mode["classes_gaining"]) or "none"),
        )
        for place, mode in enumerate(summary["failure_modes"], 1)
    ]
    columns = (
        *("mode", "what changes", "dimensions", "confidence [95 %]", "misclassified then, %"),
        "classes that gain",
    )
    singles = [
        (text(_move(each)), text(each["words"]), estimate(each["softmax_of_true_class"], "+.3f"))
        for mode in summary["failure_modes"]
        for each in mode["dimensions"]
    ]
    caption = "Failure modes: dimensions that change the same, moved together"
    return [
        Table(caption, columns, modes),
        Table("Each dimension alone", ("dimension", "what changes", "confidence [95 %]"), singles),
    ]


def _move(each: Mapping[str, Any]) -> str:
    return f"{each['dimension']} {_sign(each['degrading_direction'])}"


def _per_cent(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "value": 100 * entry["value"],
        "interval95": [100 * end for end in entry["interval95"]],
    }


def _reliable(summary: Summary) -> list[Table]:
    rows = [
        (text(name), estimate(_or_none(each), ".2%"), number(each["hits"], ",d"), _of(each))
        for name, each in summary["classes"].items()
    ]
    columns = ("class", f"{summary['failing_means']} [95 %]", "number", "of")
    tables = [Table("Failures by class", columns, rows)]
    if summary["confusions"]:
        pairs = [
            (text(each["class"]), text(each["taken_for"]), number(each["samples"], ",d"))
            for each in summary["confusions"]
        ]
        tables.append(
            Table("Most frequent mistakes", ("class", "taken for", "generated images"), pairs)
        )
    if summary["real"] is not None:
        real = [
            (text(name), estimate(each, ".2%"), _of(each))
            for name, each in summary["real"]["failing"].items()
        ]
        name = summary["real"]["name"]
        columns = ("classifier", "misclassified [95 %]", "of")
        tables.append(Table(f"Real images ({name})", columns, real))
    return tables


def _or_none(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry of a class without samples has no interval."""
    return {"value": entry["value"], "interval95": entry["interval95"]}


def _of(entry: Mapping[str, Any]) -> Cell:
    return number(entry["of"], ",d")


def _separated(summary: Summary) -> list[Table]:
    found = summary["groups"]["all"]["separation"]
    rows = [
        (
            text(_move(each)),
            estimate({"value": each["auc"]} | each),
            number(each["kolmogorov_smirnov"], ".3f"),
            number(each["p_value_corrected"], ".2g"),
        )
        for each in (() if found is None else found["top"])
    ]
    columns = ("dimension", "AUC [95 %]", "Kolmogorov-Smirnov", "p, corrected")
    return [Table("Failing images against others, along the top dimensions", columns, rows)]


def _far(summary: Summary) -> list[Table]:
    tables = []
    for name in ("own", "classes"):
        comparison = summary["comparisons"].get(name)
        if comparison is None:
            continue
        rows = [
            (text(who), _curve(curve, "slope", "+.2f"), _curve(curve, "area", ".2f"))
            for who, curve in comparison["curves"].items()
        ]
        columns = ("curve", "slope, points per sd [95 %]", "area, % [95 %]")
        tables.append(Table(comparison["distance"], columns, rows))
    return tables


def _curve(curve: Mapping[str, Any], key: str, form: str) -> Cell:
    ends = [None if x is None else 100 * x for x in curve[f"{key}_interval95"]]
    value = None if curve[key] is None else 100 * curve[key]
    return estimate({"value": value, "interval95": ends}, form)


def _compared(summary: Summary) -> list[Table]:
    rows = [
        (text(name), text(group), estimate({"value": each["share"]} | each, ".2%"), _samples(each))
        for name, groups in summary["shares"].items()
        for group, each in groups.items()
    ]
    columns = ("classifier", "class", f"{summary['outcome']} [95 %]", "of")
    return [Table("Every classifier on the same images", columns, rows)]


def _samples(entry: Mapping[str, Any]) -> Cell:
    return number(entry["samples"], ",d")


def _corners(summary: Summary) -> list[Table]:
    rows = []
    for name, each in summary["classes"].items():
        move = each["joint"]
        rows.append(
            (
                text(name),
                number(move["length_std"], ".2f"),
                text(move["instead"] or "none"),
                number(move["best_single_std"], ".2f"),
                number(move["random_share_that_flips"], ".0%"),
            )
        )
    columns = (
        *("class", "smallest joint change, sd", "becomes", "smallest single change, sd"),
        "random directions that do it",
    )
    return [Table("The smallest changes that take the confidence to 0.50", columns, rows)]


def _measured(summary: Summary) -> list[Table]:
    rows = [
        (
            text(each["metric"]),
            text(each["features"]),
            estimate({"value": each["value"], "interval95": each["interval"] or ()}, ".4g"),
            text(each["convention"]),
        )
        for each in summary["measurements"]
    ]
    return [Table("Generated images against real ones", ("metric", "by", "value", "how"), rows)]


def _rates(summary: Summary) -> list[Table]:
    rows = [
        (
            text(name),
            number(each["neurons"], ",d"),
            number(each["low_rate"], ",d"),
            number(each["never_activated"], ",d"),
            number(each["low_rate_activated_per_image"], ",.1f"),
        )
        for name, each in summary["layers"].items()
    ]
    columns = ("layer", "neurons", "LR", "never activated", "LR activated per image")
    return [Table("Rarely activated (LR) neurons by layer", columns, rows)]


def _nothing(summary: Summary) -> list[Table]:
    return []


KINDS: Mapping[str, Kind] = {
    "reliability": Kind(
        "How often does it fail, on which classes, and whose failures are they?",
        lambda s: [
            sentences.failing(s),
            *sentences.classes(s),
            *sentences.second_opinion(s),
            sentences.real_errors(s),
        ],
        _reliable,
        {},
        (
            "Fresh generated images, classified; Wilson's intervals; classes by Fisher's exact "
            "test against all others, corrected for their number (Bonferroni).",
            "Populations of Le Coz 2022, sec. 2.4; a second classifier and real images as a check.",
        ),
    ),
    "rank": Kind(
        "Which dimensions of the generator break the classifier?",
        lambda s: [sentences.stability(s), sentences.push(s)],
        _ranked,
        {
            "top_dimensions.png": "Scores of the top dimensions, with their intervals.",
            "classes.png": "The same dimensions by class.",
            "push.png": "One image pushed along each of the top dimensions.",
        },
        (
            "Dimensions of StyleSpace by the mean gradient of the confidence in the right class, "
            "with a bootstrap over images.",
            "Le Coz 2022, sec. 2.2.",
        ),
    ),
    "describe": Kind(
        "What do these dimensions do to the picture, in words?",
        lambda s: [sentences.contrast(s), *sentences.failure_modes(s)],
        _described,
        {
            "failure_modes.png": "Images before and after each failure mode.",
            "changes.png": "What changes, in standard deviations over all images.",
            "misclassified.png": "What sets failing images apart from others of their classes.",
        },
        (
            "Well classified images are moved along the dimensions, within the observed range; "
            "image statistics before and after, in standard deviations (sd) over all images.",
            "Beyond Le Coz 2022, whose dimensions are read off by eye (sec. 3.2).",
        ),
    ),
    "histograms": Kind(
        "Do failing images lie along these dimensions?",
        lambda s: [sentences.separation(s)],
        _separated,
        {
            "separation.png": "Failing images against others, along every dimension.",
            "histograms.png": "Failing and other images along top and random dimensions.",
        },
        (
            "Fresh images, the failing against the others: areas under the ROC curve (AUC), "
            "Kolmogorov-Smirnov tests, corrected for the number of dimensions.",
            "Le Coz 2022, sec. 3.2, fig. 4.",
        ),
    ),
    "accuracy": Kind(
        "How does accuracy fall with the distance from the ordinary?",
        lambda s: [sentences.distance(s, next(iter(s["comparisons"]["own"]["curves"]), ""))],
        _far,
        {
            "classifiers.png": "Accuracy against distance, for each classifier.",
            "classes.png": "Accuracy against distance, for each class.",
            "class_slopes.png": "Slopes of the classes.",
        },
        (
            "Fresh images by their distance, in standard deviations of the top dimensions, from "
            "the mean of the well classified ones.",
            "Le Coz 2022, sec. 2.4 and 3.3, fig. 6.",
        ),
    ),
    "compare": Kind(
        "Where do the classifiers differ?",
        sentences.compared,
        _compared,
        {
            "accuracy.png": "How often each classifier is right, by class.",
            "sure.png": "How often each classifier is sure.",
            "disagreements_*.png": "Images that one classifier gets right and the other does not.",
            "scores_*.png": "Dimensions that break both classifiers, and only one.",
        },
        (
            "The same fresh images for all: paired difference (Bonett and Price), McNemar's test, "
            "and overlap of the top dimensions.",
            "Beyond Le Coz 2022, sec. 2.4 and 3.3.",
        ),
    ),
    "corner_cases": Kind(
        "What is the smallest change that breaks an image of each class?",
        sentences.corner_cases,
        _corners,
        {
            "corner_cases.png": "The smallest changes along single dimensions, by class.",
            "joint.png": "The smallest change over several dimensions, against random directions.",
        },
        (
            "From a starting image of each class, the smallest change along one and along several "
            "dimensions that takes the confidence in the class to 0.50.",
            "Le Coz 2022, sec. 3.4, fig. 7.",
        ),
    ),
    "evaluate": Kind(
        "How good is the generator, beside real images?",
        sentences.quality,
        _measured,
        {"realism.png": "The least and the most realistic generated images."},
        (
            "Features of generated and of real images: Frechet distance (FID, 0: the same), "
            "precision and recall (share of one set within the other), realism.",
            "Heusel 2017; Kynkäänniemi 2019.",
        ),
    ),
    "rates": Kind(
        "How many neurons are rarely activated?",
        sentences.rates,
        _rates,
        {
            "rates.png": "Activation rates of the neurons, by layer.",
            "convergence.png": "How the numbers settle as the samples grow.",
        },
        (
            "For every neuron of the early layers, the share of generated images that activate it.",
            "Choi 2022, sec. 3.1.",
        ),
    ),
    "detect": Kind(
        "Which images activate the most rarely activated neurons?",
        sentences.detected,
        _nothing,
        {
            "extremes.png": "Images of the highest and of the lowest scores.",
            "histogram.png": "Scores of all images.",
        },
        (
            "Fresh images scored by the number of rarely activated neurons that they activate.",
            "Choi 2022, sec. 4.1, fig. 2.",
        ),
    ),
}
