"""Which correction repairs artifacts and leaves normal images as they are? (Tousi 2021, sec. 4, 5)

Labelled samples that the artifact classifier was not trained on, with and without the units that
draw artifacts: the classifier's answers, how much the images change, and sheets of both.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from ganfail_jax import plots
from ganfail_jax.analysis.correction import SHARE, given_units, number_of_units
from ganfail_jax.analysis.correction_effect import (
    CorrectBatch,
    Corrected,
    corrected_batches,
    corrector,
    effect,
    summary_of,
)
from ganfail_jax.analysis.correction_methods import METHODS, Method
from ganfail_jax.errors import InputError
from ganfail_jax.images import to_float, to_uint8
from ganfail_jax.jobs import Arrays, Job, Run, Summary
from ganfail_jax.results import Result, restore
from ganfail_jax.runtime import Sweep
from ganfail_jax.statistics.degenerate import no_more_often
from ganfail_jax.statistics.intervals import show_entry
from ganfail_jax.studies.artifact_case import ArtifactCase
from ganfail_jax.studies.corrections import Corrections, methods_of
from ganfail_jax.studies.pictures import plain_indices

Samples = Mapping[str, Int[np.ndarray, " _"]]  # of each kind, by index


class Settings(NamedTuple):
    """What is corrected and shown, beside what the corrections go by."""

    methods: Sequence[str] | None = None  # of `corrections.AUTOMATIC`; None: all that can be had
    share: float = SHARE  # of a layer's units that is corrected
    units: Sequence[int] = ()  # of the last layer, which the method manual sets to zero
    indices: Sequence[int] | None = None  # of samples to draw; None: held-out ones
    shown: int = 6  # held-out artifacts, and as many normals


class _Requested(NamedTuple):
    """What the settings come down to."""

    methods: Mapping[str, Method]
    held_out: Samples
    sheets: Samples
    text: str  # for a person


def plan(corrections: Corrections, settings: Settings = Settings(), run: Run = Run()) -> Job:
    """The job for one generator.

    Raises:
        InputError: an unknown method or one that lacks what it needs, an unknown unit, or there is
            nothing to measure on.
    """
    settings = settings._replace(indices=plain_indices(settings.indices))
    case, layers = corrections.case, corrections.layers
    methods = methods_of(settings.methods, has_fid=corrections.unit_fid is not None)
    given_units(settings.units, case.models.generator.layers[layers[-1]].channels)
    if settings.units:
        methods["manual"] = METHODS["manual"]
    number_of_units(settings.share, 1)
    held_out = _held_out(case)
    sheets = {f"held-out {kind}": some[: settings.shown] for kind, some in held_out.items()}
    if settings.indices is not None:
        sheets = {"samples": np.asarray(settings.indices)}
    text = f"corrected: {settings.share:.0%} of a layer's units, of {layers[-1]} or, by sequential "
    text += f"and local, of every layer from {layers[0]} to it"
    requested = _Requested(methods, held_out, sheets, text)
    own = {**settings._asdict(), "methods": list(methods), "stop": layers[-1]}
    own["units"] = [int(unit) for unit in settings.units]
    return Job(
        folder=run.folder("correct", *case.names),
        identity={**corrections.identity, **own},
        subject=case.title,
        compute=partial(_compute, corrections, settings, requested),
        draw=partial(_draw, case.title, text),
        describe=_describe,
        settings=run,
    )


def _held_out(case: ArtifactCase) -> Samples:
    held_out = {"artifacts": case.held_out.artifacts, "normals": case.held_out.normals}
    for kind, indices in held_out.items():
        if not len(indices):
            raise InputError(f"the artifact classifier has no held-out {kind} to measure on")
    return held_out


def _compute(
    corrections: Corrections, settings: Settings, requested: _Requested, sweep: Sweep
) -> tuple[Summary, Arrays]:
    case, layers, units = corrections.case, corrections.layers, corrections.scores.units(sweep)
    number = partial(number_of_units, settings.share)
    correct_batch = corrector(
        case.models,
        case.artifact,
        corrections.inspector(units),
        requested.methods,
        corrections.setting(units, layers[-1], number, settings.units),
        case.seed,
    )
    rows, rng = ["none", *requested.methods], np.random.default_rng(corrections.settings.seed)
    summaries, arrays = {}, {"rows": rows, "sheets": list(requested.sheets)}
    for kind, indices in requested.held_out.items():
        measured = effect(correct_batch, indices, sweep.batch_size, f"held-out {kind}")
        summaries[kind] = dict(zip(rows, summary_of(measured, rng), strict=True))
        arrays |= _named(kind, {"indices": indices, **measured._asdict()})
    for kind, indices in requested.sheets.items():
        arrays |= _named(kind, _sheet(correct_batch, indices, sweep.batch_size, kind))
    sizes = {kind: len(indices) for kind, indices in requested.held_out.items()}
    lines = _warnings(sizes, summaries)
    summary = {"warnings": lines, "layers": layers, "samples": sizes, "methods": summaries}
    return summary, arrays


def _warnings(sizes: Mapping[str, int], summaries: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A classifier that does not tell artifacts, and methods that change nothing."""
    n, m = (sizes[kind] for kind in ("artifacts", "normals"))
    a, b = (
        round(summaries[kind]["none"]["called"]["value"] * sizes[kind])
        for kind in ("artifacts", "normals")
    )
    lines = []
    if no_more_often(a, n, b, m):
        lines.append(
            f"held-out artifacts are not called artifacts more often than normals ({a:,} of {n:,} "
            f"and {b:,} of {m:,}): the classifier's answers do not tell what a correction does"
        )
    for name in summaries["artifacts"]:
        if name != "none" and not any(rows[name]["change"]["value"] for rows in summaries.values()):
            lines.append(f"{name} changes no pixel")
    return lines


def _named(kind: str, arrays: Arrays) -> dict[str, Any]:
    return {f"{kind}/{name}": each for name, each in arrays.items()}


def _sheet(
    correct_batch: CorrectBatch, indices: Int[np.ndarray, " n"], batch_size: int, kind: str
) -> Arrays:
    batches = list(corrected_batches(correct_batch, indices, batch_size, f"drawing {kind}"))
    drawn = Corrected(*(np.concatenate(each, axis=1) for each in zip(*batches, strict=True)))
    return {"indices": indices, **drawn._asdict(), "images": to_uint8(drawn.images)}


def _draw(title: str, text: str, folder: Path, result: Result) -> list[str]:
    summary, arrays, names = result.summary, result.arrays, ["effects.png"]
    head = f"What corrections do: {title}"
    methods, sizes = summary["methods"], summary["samples"]
    plots.correction.draw_effects(folder / names[0], methods, sizes, head, text)
    rows = arrays["rows"].tolist()
    for kind in arrays["sheets"].tolist():
        names.append(f"{kind.replace(' ', '-')}.png")
        sheet, indices = restore(Corrected, arrays, f"{kind}/"), arrays[f"{kind}/indices"]
        sheet = sheet._replace(images=to_float(arrays[f"{kind}/images"]))
        head = f"Corrected {kind}: {title}"
        plots.correction.draw_sheet(folder / names[-1], sheet, rows, indices, head, text)
    return names


def _describe(summary: Summary) -> Iterator[str]:
    random = next(iter(summary["methods"].values())).keys() & {"random"}
    yield (
        f"corrected layers {', '.join(summary['layers'])}; brackets: 95 % over samples, the units "
        f"held{'; random: one draw of units' if random else ''}"
    )
    for kind, methods in summary["methods"].items():
        yield f"{summary['samples'][kind]:,} held-out {kind}: probability of an artifact"
        for name, row in methods.items():
            line = f"  {name:<10} {show_entry(row['probability'])}"
            line += f", called an artifact {show_entry(row['called'], '.1%')}"
            if name != "none":
                line += f", difference {show_entry(row['difference'], '+.3f')}"
                line += f", change of a pixel {row['change']['value']:.1f} of 255"
            yield line
