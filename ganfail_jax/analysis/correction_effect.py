"""Are artifacts repaired, and does the rest stay? (Tousi 2021, sec. 4.2 and 5)

The paper asks persons (table 3); here the artifact classifier answers, of samples that it was not
trained on, before and after each correction. How much an image changes is measured in its pixels.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ganfail_jax import runtime
from ganfail_jax.analysis.correction_methods import Inspection, Method, Setting, correct
from ganfail_jax.analysis.outputs import Models
from ganfail_jax.latents import renderer
from ganfail_jax.statistics.estimates import mean
from ganfail_jax.statistics.intervals import with_interval
from ganfail_jax.statistics.proportions import wilson

LEVELS = 127.5  # grey levels of 255 per unit of an image
REPLICATES = 2000
Inspect = Callable[[Int[np.ndarray, " b"]], Inspection]


class Corrected(NamedTuple):
    """n samples before and after: row 0 is uncorrected, then one row per method."""

    images: Float[np.ndarray, "r n h w c"]  # in [-1, 1]
    probability: Float[np.ndarray, "r n"]  # of the class artifact
    called: Bool[np.ndarray, "r n"]  # the class artifact is the classifier's answer
    masks: Bool[np.ndarray, "1 n h w"]


CorrectBatch = Callable[[Int[np.ndarray, " n"]], Corrected]


class Effect(NamedTuple):
    """What corrections do to n samples: row 0 is uncorrected, then one row per method."""

    probability: Float[np.ndarray, "r n"]
    called: Bool[np.ndarray, "r n"]
    change: Float[np.ndarray, "r n"]  # mean absolute change of a pixel, of 255
    inside: Float[np.ndarray, "r n"]  # the same within the sample's mask; NaN: it is empty
    outside: Float[np.ndarray, "r n"]  # NaN: it is the whole image


def corrector(
    models: Models,
    artifact: int,
    inspect: Inspect,
    methods: Mapping[str, Method],
    setting: Setting,
    seed: int,
) -> CorrectBatch:
    """Compiled once for all methods whose edits are of one form.

    Args:
        inspect: of `correction_methods.inspector`, with its first arguments given.
        seed: of the samples.
    """
    render = renderer(models.generator, seed)

    @jax.jit
    def answer(params: Any, images: Array) -> tuple[Array, Array]:
        return _answer(models.classifier.logits(params, images), artifact)

    def correct_batch(indices: Int[np.ndarray, " b"]) -> Corrected:
        before = inspect(indices)
        rows = [(before.images, *_answer(before.logits, artifact))]
        for method in methods.values():
            edits = correct(method, setting, before)
            images = render(models.generator_params, indices, edits)
            rows.append((images, *answer(models.classifier_params, images)))
        images, probability, called = (np.asarray(jnp.stack(x)) for x in zip(*rows, strict=True))
        return Corrected(images, probability, called, np.asarray(before.masks)[None])

    return correct_batch


def _answer(logits: Float[Array, "b k"], artifact: int) -> tuple[Array, Array]:
    return jax.nn.softmax(logits)[:, artifact], jnp.argmax(logits, axis=1) == artifact


def corrected_batches(
    correct_batch: CorrectBatch,
    indices: Int[np.ndarray, " n"],
    batch_size: int,
    progress: str | None = None,
) -> Iterator[Corrected]:
    """All samples, before and after; every batch is filled up, so that one program serves all."""
    with runtime.progress_bar(progress, len(indices), 0) as bar:
        for start in range(0, len(indices), batch_size):
            some = indices[start : start + batch_size]
            batch = correct_batch(np.resize(some, batch_size).astype(np.int32))
            yield Corrected(*(each[:, : len(some)] for each in batch))
            bar.update(len(some))


def effect(
    correct_batch: CorrectBatch,
    indices: Int[np.ndarray, " n"],
    batch_size: int,
    progress: str | None = None,
) -> Effect:
    """Measure samples, a batch of images in memory at a time."""
    batches = corrected_batches(correct_batch, indices, batch_size, progress)
    parts = [_effect(batch) for batch in batches]
    return Effect(*(np.concatenate(each, axis=1) for each in zip(*parts, strict=True)))


def _effect(corrected: Corrected) -> Effect:
    moved = LEVELS * np.abs(corrected.images - corrected.images[0], dtype=np.float64).mean(axis=-1)
    everywhere = np.ones_like(corrected.masks)
    changes = (_mean_where(moved, mask) for mask in (everywhere, corrected.masks, ~corrected.masks))
    return Effect(corrected.probability, corrected.called, *changes)


def _mean_where(
    x: Float[np.ndarray, "r n h w"], mask: Bool[np.ndarray, "1 n h w"]
) -> Float[np.ndarray, "r n"]:
    size = mask.sum(axis=(2, 3))
    return np.where(mask, x, 0).sum(axis=(2, 3)) / np.where(size, size, np.nan)


def _mean_known(values: Float[np.ndarray, " n"]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def summary_of(effects: Effect, rng: np.random.Generator) -> list[dict[str, Any]]:
    """For result.json, one of each row; the intervals are of 95 %.

    Those of means and of differences from the uncorrected samples (paired) are percentiles of a
    bootstrap over samples, those of shares Wilson's.
    """

    def averaged(values: Float[np.ndarray, " n"]) -> dict[str, Any]:
        estimate = mean(values)
        ends = np.quantile(estimate.resample(REPLICATES, rng), [0.025, 0.975])
        return with_interval(estimate.value[0], ends.tolist())

    n = effects.called.shape[1]
    rows = []
    for row, called in enumerate(effects.called):
        interval = wilson(called.sum(keepdims=True), np.asarray([n]))[0]
        rows.append(
            {
                "probability": averaged(effects.probability[row]),
                "difference": averaged(effects.probability[row] - effects.probability[0]),
                "called": with_interval(called.mean(), interval.tolist()),
                "change": averaged(effects.change[row]),
                "change_inside": _mean_known(effects.inside[row]),
                "change_outside": _mean_known(effects.outside[row]),
            }
        )
    return rows
