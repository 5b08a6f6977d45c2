"""The first screen of a report: what a reader takes away, and what not to trust."""

from collections.abc import Mapping, Sequence
from typing import Any

from ganfail_jax.reporting import sentences
from ganfail_jax.reporting.content import Finding, Report, Section, unique
from ganfail_jax.reporting.sections import Made, section

Summaries = Mapping[str, Mapping[str, Any]]  # of the studies that have a result, by key
UNITS = (
    "sd: standard deviation over all generated images; confidence: softmax; brackets: 95 % "
    "intervals."
)


def report(subject: str, classifier: str | None, studies: Sequence[Made]) -> Report:
    """Everything that a page shows.

    Args:
        subject: what is studied, for a person.
        classifier: the one that is judged; None: the report is of a generator alone.

    Raises:
        ResultError: a result is of another version, or of another study.
    """
    sections = [section(made) for made in studies]
    summaries = {made.key: made.result.summary for made in studies if made.result is not None}
    if classifier is None:
        title, found = f"How does {subject} fail?", of_generator(summaries)
    else:
        title, found = f"What breaks {classifier}?", of_classifier(summaries, classifier)
    return Report(title, subject, _warnings(sections), found, sections)


def _warnings(sections: Sequence[Section]) -> list[str]:
    """Of all studies, and what is missing."""
    missing = [f"{each.question} Left out: {each.left_out}" for each in sections if each.left_out]
    return unique([*(line for each in sections for line in each.warnings), *missing])


def of_classifier(summaries: Summaries, classifier: str) -> list[Finding]:
    """The answers about a classifier."""
    reliability, described = summaries.get("reliability"), summaries.get("describe")
    breaks = [] if reliability is None else [sentences.failing(reliability)]
    if described is not None:
        breaks += [sentences.contrast(described), *sentences.failure_modes(described)]
    which = [] if reliability is None else sentences.classes(reliability)
    far = []
    if "accuracy" in summaries:
        far.append(sentences.distance(summaries["accuracy"], classifier))
    if "corner_cases" in summaries:
        far += sentences.corner_cases(summaries["corner_cases"])
    sure = [sentences.stability(summaries["rank"]), sentences.push(summaries["rank"])]
    if "histograms" in summaries:
        sure.append(sentences.separation(summaries["histograms"]))
    unseen = [*doubts(summaries), *sentences.LIMITS]
    return _filled(
        ("What breaks it?", [*breaks, UNITS]),
        ("On which classes?", which),
        ("How far from the ordinary?", far),
        ("How sure is this?", sure),
        ("What not to trust", unseen),
    )


def doubts(summaries: Summaries) -> list[str]:
    """What may be the generator's fault."""
    lines = []
    if reliability := summaries.get("reliability"):
        lines += [sentences.real_errors(reliability), *sentences.second_opinion(reliability)]
    if measured := summaries.get("evaluate"):
        return lines + sentences.quality(measured)
    return [
        *lines,
        "No real images were at hand to compare with: the generator's quality is unknown.",
    ]


def of_generator(summaries: Summaries) -> list[Finding]:
    """The answers about a generator alone."""
    rare = sentences.rates(summaries["rates"]) if "rates" in summaries else []
    where = sentences.detected(summaries["detect"]) if "detect" in summaries else []
    return _filled(
        ("Which neurons hardly take part?", rare),
        ("Which images are suspicious?", where),
        ("How good is it?", doubts(summaries)),
        ("What not to trust", sentences.LIMITS),
    )


def _filled(*found: tuple[str, Sequence[str]]) -> list[Finding]:
    return [Finding(question, lines) for question, lines in found if lines]
