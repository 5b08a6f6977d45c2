"""What the tables of corrections are measured on: which samples, against which images?

The samples are labelled artifacts on which neither the classifier was trained nor units were
scored, filled up with such as the classifier itself calls artifacts. All corrections are of the
same samples, and all rows of equally many, because FID depends on their number.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from absl import flags
from jaxtyping import Array, Float32, Int, UInt8

from analyze import artifacts, correction_choice, entry, feature_choice, image_choice
from analyze.tabulate import Plan
from ganfail_jax.analysis.ablation import renderer
from ganfail_jax.analysis.correction_effect import Looker
from ganfail_jax.analysis.correction_methods import Method, Setting, correct
from ganfail_jax.data.image_sets import Images
from ganfail_jax.data.pipelines import to_uint8
from ganfail_jax.errors import InputError
from ganfail_jax.metrics.features import Features
from ganfail_jax.metrics.frechet import feature_moments, frechet
from ganfail_jax.metrics.measurement import Measurement
from ganfail_jax.metrics.precision_recall import manifold, precision_recall
from ganfail_jax.metrics.table import Cell
from ganfail_jax.types import Generator

FLAGS = flags.FLAGS
REAL, OWN = "real", "reference normals"
CIRCULAR = (
    "samples beyond the labelled ones are artifacts or normals by the classifier's word alone, "
    "which the corrections follow too"
)
Sizes = Mapping[str, int]


class Sampled(NamedTuple):
    """Samples, the labelled ones first."""

    indices: Int[np.ndarray, " n"]
    labelled: int  # so many of them

    def sizes(self, kind: str) -> Sizes:
        """For a measurement."""
        further = len(self.indices) - self.labelled
        return {f"held-out {kind}s": self.labelled, f"called {kind} by the classifier": further}


class Study(NamedTuple):
    """What a table is measured on."""

    choice: correction_choice.Choice
    found: artifacts.Found
    look: Looker
    render: Callable[..., Array]
    features: Features
    real: Float32[np.ndarray, "n d"]
    against: str  # what these are: REAL or OWN
    artifacts: Sampled
    normals: Sampled

    def setting(self, stop: str, number: Callable[[int], int]) -> Setting:
        return self.choice.setting(self.found, stop, number)

    def seen(
        self, samples: Sampled, name: str, method: Method | None, setting: Setting | None
    ) -> Float32[np.ndarray, "n d"]:
        """Features of samples, corrected."""
        models = self.choice.case.models

        def take(numbers: Int[np.ndarray, " b"]) -> UInt8[np.ndarray, "b h w c"]:
            some = samples.indices[numbers].astype(np.int32)
            edits = {}
            if method is not None and setting is not None:
                look = self.look(some) if setting.looks(method) else None
                edits = correct(method, setting, look)
            return to_uint8(np.asarray(self.render(models.generator_params, some, edits)))

        images = Images((len(samples.indices), *models.generator.image_shape), take)
        how = None if setting is None else [method, dict(setting.numbers)]
        made = [self.choice.identity, samples.indices.tolist(), how]
        name_of_generator = self.choice.case.identity["generator"]
        return image_choice.Compared(name_of_generator, images, str(made)).seen(self.features, name)

    def fid(self, seen: Float32[np.ndarray, "n d"], sizes: Sizes) -> Measurement:
        measured = frechet(feature_moments(self.real), seen, features=self.features.name)
        return self._told(measured, sizes)

    def realism(self, seen: Float32[np.ndarray, "n d"], sizes: Sizes) -> Measurement:
        k = FLAGS.neighbours
        balls = manifold(self.real, k), manifold(seen, k)
        return self._told(precision_recall(*balls, features=self.features.name).realism, sizes)

    def _told(self, measured: Measurement, sizes: Sizes) -> Measurement:
        of_own = self.against == OWN
        warnings = list(measured.warnings)
        if of_own:
            warnings = [text.replace("real images", OWN) for text in warnings]
        if any(name.startswith("called") and size for name, size in sizes.items()):
            warnings.append(CIRCULAR)
        return measured._replace(
            metric=measured.metric + (" against the generator's own normals" if of_own else ""),
            samples={self.against: len(self.real), **sizes},
            warnings=tuple(warnings),
        )


class Asked(NamedTuple):
    """What the flags of one table ask for."""

    text: str  # what it does, for a person
    layers: list[str]  # that are corrected; the last one may be corrected alone
    settings: Mapping[str, Any]  # for the identity of the result
    measure: Callable[[Study], list[Cell]]


def plan(ask: Callable[[Generator], Asked]) -> Plan:
    """Check the flags and load what is compared.

    Raises:
        InputError: they do not fit each other.
    """
    if FLAGS.truncation_psi != 1:
        raise InputError("corrections are without truncation; --truncation_psi must be 1")
    case = artifacts.chosen()
    generator = case.models.generator
    asked = ask(generator)
    choice = correction_choice.chosen(case, asked.layers, asked.layers[-1])
    features = feature_choice.chosen_for(generator.image_shape)
    real = _real(generator.image_shape) if FLAGS.reference == REAL else None

    def compute(folder: Path) -> tuple[list[Cell], entry.Arrays]:
        found = choice.defects.find(folder)
        samples, normals, reference = _samples(case, folder, split=real is None)
        render = renderer(generator, case.seed)
        look = choice.looker(found)
        nothing = np.empty((0, features.dim), np.float32)
        study = Study(choice, found, look, render, features, nothing, REAL, samples, normals)
        if real is None:
            seen = study.seen(Sampled(reference, 0), OWN, None, None)
            study = study._replace(real=seen, against=OWN)
        else:
            study = study._replace(real=real.seen(features, "real images"))
        if min(len(study.real), len(samples.indices)) <= FLAGS.neighbours:
            raise InputError(
                f"only {len(samples.indices)} artifacts and as many normals, against "
                f"{len(study.real)} {study.against}: give more --candidates"
            )
        arrays = {"artifacts": samples.indices, "normals": normals.indices, "reference": reference}
        return asked.measure(study), arrays

    against = "its own normals" if real is None else real.name
    made = {"reference": FLAGS.reference, "real": None if real is None else real.key}
    made |= {name: FLAGS[name].value for name in ("num_artifacts", "candidates", "num_real")}
    made |= {"neighbours": FLAGS.neighbours, "features": features.identity}
    who = case.identity["generator"]
    return Plan(
        f"{asked.text}, generator {who} against {against}",
        (who, "normals" if real is None else real.name, str(case.seed)),
        {**choice.identity, **asked.settings, **made},
        compute,
    )


def _samples(
    case: artifacts.Case, folder: Path, split: bool
) -> tuple[Sampled, Sampled, Int[np.ndarray, " n"]]:
    """Artifacts, as many normals, and where asked for, other normals to compare both with."""
    none = np.empty(0, np.int32)
    further = artifacts.Labelled(none, none.astype(bool))
    if FLAGS.candidates:
        further = artifacts.called(case, folder)
    held_out = case.held_out
    bad = np.concatenate([held_out.artifacts, further.artifacts])
    good = np.concatenate([held_out.normals, further.normals])
    n = min(FLAGS.num_artifacts, len(bad), len(good) // 2 if split else len(good))
    reference = good[n:][: FLAGS.num_real] if split else none
    return (
        Sampled(bad[:n], min(n, len(held_out.artifacts))),
        Sampled(good[:n], min(n, len(held_out.normals))),
        reference,
    )


def _real(shape: tuple[int, int, int]) -> image_choice.Compared:
    try:
        return image_choice.real_images(shape, "the generator's images", FLAGS.num_real)
    except InputError as error:
        raise InputError(
            f"{error}; or --reference=normals compares with the generator's own normals"
        ) from error


def define() -> None:
    """Beside the flags that all tables have."""
    correction_choice.define()
    artifacts.define_candidates(4_000)
    flags.DEFINE_integer("num_artifacts", 1_000, "Artifacts, and as many normals, at most.", 2)
    text = "Against real images, or the generator's own normals, of which others make the table."
    flags.DEFINE_enum("reference", REAL, [REAL, "normals"], text)


NAMES = (  # of the flags
    *("artifact_classifier", "tau", "threshold_samples", "mask_threshold", "order", "defects"),
    *("strength", "scores", "candidates", "num_artifacts", "reference"),
)
