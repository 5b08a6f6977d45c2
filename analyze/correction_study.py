"""What the tables of corrections are measured on: which samples, against which images?

The samples are labelled artifacts that neither trained the classifier nor made the units' global
scores DS, filled up with such as the classifier itself calls artifacts. They may be among the first
samples all the same, of which the quantiles T_u are and, where analyze.units has the seed of the
labels, the FID of units, which the row FID goes by. All corrections are of the same samples, and
all rows of equally many, because FID depends on their number.
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
from ganfail_jax.errors import InputError
from ganfail_jax.images import to_uint8
from ganfail_jax.metrics.features import Features
from ganfail_jax.metrics.frechet import FeatureMoments, feature_moments, frechet
from ganfail_jax.metrics.measurement import Measurement
from ganfail_jax.metrics.precision_recall import Manifold, manifold, precision_recall
from ganfail_jax.metrics.table import Cell
from ganfail_jax.types import Generator

FLAGS = flags.FLAGS
REAL, OWN = "real", "reference normals"
CIRCULAR = "are so by the classifier's word alone, which the corrections follow too"


class Sampled(NamedTuple):
    """Samples, the labelled ones first."""

    kind: str  # what they are, in the plural
    indices: Int[np.ndarray, " n"]
    labelled: int  # so many of them

    @property
    def called(self) -> int:
        return len(self.indices) - self.labelled

    @property
    def sizes(self) -> dict[str, int]:
        """For a measurement."""
        return {
            f"held-out {self.kind}": self.labelled,
            f"{self.kind} by the classifier's word": self.called,
        }

    @property
    def warnings(self) -> tuple[str, ...]:
        if not self.called:
            return ()
        return (f"{self.called:,} of {len(self.indices):,} {self.kind} {CIRCULAR}",)


class Study(NamedTuple):
    """The samples of a table, and what corrects them."""

    choice: correction_choice.Choice
    found: artifacts.Found
    look: Looker
    render: Callable[..., Array]
    features: Features
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


class Reference(NamedTuple):
    """What the samples are compared with."""

    features: str
    seen: Float32[np.ndarray, "n d"]
    moments: FeatureMoments
    own: Sampled | None  # the generator's own normals; None: real images

    def fid(self, seen: Float32[np.ndarray, "n d"], samples: Sampled) -> Measurement:
        return self._told(frechet(self.moments, seen, features=self.features), samples)

    def realism(
        self, real: Manifold, seen: Float32[np.ndarray, "n d"], samples: Sampled
    ) -> Measurement:
        """`real`: the manifold of `self.seen`."""
        found = precision_recall(real, manifold(seen, real.k), features=self.features)
        return self._told(found.realism, samples)

    def _told(self, measured: Measurement, samples: Sampled) -> Measurement:
        if self.own is None:
            return measured._replace(
                samples={"real": len(self.seen), **samples.sizes},
                warnings=measured.warnings + samples.warnings,
            )
        warnings = tuple(text.replace("real images", OWN) for text in measured.warnings)
        return measured._replace(
            metric=f"{measured.metric} against the generator's own normals",
            samples={**self.own.sizes, **samples.sizes},
            warnings=warnings + self.own.warnings + samples.warnings,
        )


class Asked(NamedTuple):
    """What the flags of one table ask for."""

    text: str  # what it does, for a person
    layers: list[str]  # that are corrected; the last one may be corrected alone
    settings: Mapping[str, Any]  # for the identity of the result
    measure: Callable[[Study, Reference], list[Cell]]
    neighbours: int = 1  # more samples of each kind than that are needed


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
    for name, n in (("num_artifacts", FLAGS.num_artifacts), ("num_real", FLAGS.num_real)):
        if n <= asked.neighbours:
            raise InputError(f"--{name}={n} must be more than --neighbours={asked.neighbours}")
    choice = correction_choice.chosen(case, asked.layers, asked.layers[-1])
    features = feature_choice.chosen_for(generator.image_shape)
    real = _real(generator.image_shape) if FLAGS.reference == REAL else None
    if real is not None and real.images.shape[0] <= asked.neighbours:
        n = real.images.shape[0]
        raise InputError(f"{real.name} has {n} images; more than {asked.neighbours} are needed")

    def compute(folder: Path) -> tuple[list[Cell], entry.Arrays]:
        samples, normals, own = _samples(case, folder, split=real is None)
        if len(samples.indices) <= asked.neighbours:
            raise InputError(
                f"only {len(samples.indices)} artifacts and as many normals, but more than "
                f"{asked.neighbours} are needed: give more --candidates"
            )
        found = choice.defects.find(folder)
        render, look = renderer(generator, case.seed), choice.looker(found)
        study = Study(choice, found, look, render, features, samples, normals)
        if real is None:
            seen = study.seen(own, OWN, None, None)
        else:
            seen = real.seen(features, "real images")
        moments = feature_moments(seen)
        reference = Reference(features.name, seen, moments, own if real is None else None)
        cells = asked.measure(study, reference)
        arrays = {"artifacts": samples, "normals": normals, "reference": own}
        return cells, {name: each.indices for name, each in arrays.items()}

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


def _samples(case: artifacts.Case, folder: Path, split: bool) -> tuple[Sampled, Sampled, Sampled]:
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
    labelled = len(held_out.normals)
    return (
        Sampled("artifacts", bad[:n], min(n, len(held_out.artifacts))),
        Sampled("normals", good[:n], min(n, labelled)),
        Sampled(OWN, reference, min(max(labelled - n, 0), len(reference))),
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
    artifacts.define_candidates()
    flags.DEFINE_integer("num_artifacts", 1_000, "Artifacts, and as many normals, at most.", 2)
    text = "Against real images, or the generator's own normals, of which others make the table."
    flags.DEFINE_enum("reference", REAL, [REAL, "normals"], text)


NAMES = (  # of the flags
    *("artifact_classifier", "tau", "threshold_samples", "mask_threshold", "order", "defects"),
    *("strength", "scores", "candidates", "num_artifacts", "reference"),
)
