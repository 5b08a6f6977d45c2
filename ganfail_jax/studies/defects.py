"""Which units of a generator draw its artifacts? The defective score (Tousi 2021, definition 1)

The scores of all units of each layer, and the artifact images that its highest unit meets best.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ganfail_jax import plots
from ganfail_jax.analysis.correction import layers_to
from ganfail_jax.analysis.defects import Defects, Regions, regions
from ganfail_jax.analysis.quantiles import Thresholds
from ganfail_jax.analysis.rates import find_layers
from ganfail_jax.images import to_float, to_uint8
from ganfail_jax.jobs import Arrays, Job, Run, Summary
from ganfail_jax.results import Result, restore
from ganfail_jax.runtime import Sweep
from ganfail_jax.statistics.degenerate import all_zero
from ganfail_jax.statistics.intervals import Z95
from ganfail_jax.studies import defective_scores
from ganfail_jax.studies.artifact_case import ArtifactCase

REPORTED = 5  # units of each layer


class Settings(NamedTuple):
    """What changes the result."""

    scores: defective_scores.Settings = defective_scores.Settings()
    layers: Sequence[str] | None = None  # in forward order; None: up to the paper's last
    shown: int = 8  # artifact images of each layer


def plan(case: ArtifactCase, settings: Settings = Settings(), run: Run = Run()) -> Job:
    """The job for one generator.

    Raises:
        InputError: an unknown layer, or as `defective_scores.Settings.check`.
    """
    settings.scores.check()
    every = case.models.generator.layers
    layers = layers_to(every) if settings.layers is None else find_layers(every, settings.layers)
    shown = {"shown": settings.shown}
    return Job(
        folder=run.folder("defects", *case.names, shown=shown),
        identity={**case.identity, "layers": layers, **settings.scores._asdict()},
        subject=case.title,
        compute=partial(_compute, case, settings, layers),
        draw=partial(_draw, case.title),
        describe=_describe,
        settings=run,
        shown=shown,
        show=partial(_show, case, settings, layers),
    )


def _compute(
    case: ArtifactCase, settings: Settings, layers: list[str], sweep: Sweep
) -> tuple[Summary, Arrays]:
    limits = defective_scores.thresholds(case, layers, settings.scores, sweep)
    values = {name: each.value for name, each in limits.items()}
    scored = defective_scores.score(case, values, settings.scores, sweep)
    scores, errors = scored.scores, scored.standard_errors
    arrays: dict[str, Any] = {"layers": layers}
    for name in layers:
        arrays[f"thresholds/{name}"] = values[name]
        arrays[f"scores/{name}"] = scores[name]
        arrays[f"standard_errors/{name}"] = errors[name]
        arrays[f"samples/{name}"] = scored.samples[name]
    return _summarize(settings.scores, limits, scored), arrays


def _show(
    case: ArtifactCase, settings: Settings, layers: list[str], sweep: Sweep, result: Result
) -> Arrays:
    """The artifact images that the highest unit of each layer meets best, and where."""
    arrays = result.arrays
    limits = {name: arrays[f"thresholds/{name}"] for name in layers}
    tops = [(name, int(np.argmax(arrays[f"scores/{name}"]))) for name in layers]
    best = [np.argsort(-arrays[f"samples/{name}"][:, unit], kind="stable") for name, unit in tops]
    shown = case.train.artifacts[np.stack(best)[:, : settings.shown]]
    drawn = regions(
        case.models,
        tops,
        limits,
        shown,
        artifact=case.artifact,
        seed=case.seed,
        mask_threshold=settings.scores.mask_threshold,
        order=settings.scores.order,
    )
    return {"indices": shown, **drawn._asdict(), "images": to_uint8(drawn.images)}


def _summarize(
    settings: defective_scores.Settings, limits: dict[str, Thresholds], scored: Defects
) -> Summary:
    lines = all_zero(scored.scores, "defective scores")
    if not scored.covered.any():
        lines.append("the mask of every artifact image is empty: no unit can meet it")
    return {
        "warnings": lines,
        "artifacts": len(scored.covered),
        "covered": float(scored.covered.mean()),
        "without_mask": int((scored.covered == 0).sum()),
        "tau": settings.tau,
        "threshold_samples": settings.threshold_samples,
        "layers": {
            name: {
                "units": len(scores),
                "mean": float(scores.mean()),
                "active_share": float(limits[name].share.mean()),
                "largest_threshold_error": float(np.max(limits[name].error)),
                "top": _highest(scores, scored.standard_errors[name]),
            }
            for name, scores in scored.scores.items()
        },
    }


def _highest(scores: np.ndarray, errors: np.ndarray) -> list[dict[str, Any]]:
    order = np.argsort(-scores, kind="stable")[:REPORTED]
    return [
        {"unit": int(u), "score": float(scores[u]), "standard_error": float(errors[u])}
        for u in order
    ]


def _draw(title: str, folder: Path, result: Result) -> list[str]:
    arrays, kinds = result.arrays, ("scores", "standard_errors")
    scores = {
        layer: plots.defects.Scores(*(arrays[f"{kind}/{layer}"] for kind in kinds))
        for layer in arrays["layers"].tolist()
    }
    drawn = restore(Regions, arrays)._replace(images=to_float(arrays["images"]))
    return plots.defects.draw(folder, scores, drawn, arrays["indices"], title)


def _describe(summary: Summary) -> Iterator[str]:
    yield (
        f"{summary['artifacts']:,} artifact images; the mask covers {summary['covered']:.0%} of an "
        f"image on average, and nothing of {summary['without_mask']:,} of them"
    )
    yield (
        f"units are active above their {1 - summary['tau']:g} quantile over "
        f"{summary['threshold_samples']:,} samples; mean score of a layer, and its highest (±: "
        "95 % over the artifact images, quantiles and masks held):"
    )
    for name, layer in summary["layers"].items():
        top = ", ".join(f"{each['unit']} ({_score(each)})" for each in layer["top"])
        yield f"  {name}: {layer['mean']:.3f}; units {top}"


def _score(unit: Mapping[str, Any]) -> str:
    error = unit["standard_error"]  # None: of a single image
    return f"{unit['score']:.3f}" + ("" if error is None else f" ± {Z95 * error:.3f}")
