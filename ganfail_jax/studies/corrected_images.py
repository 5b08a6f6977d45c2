"""What the tables of corrections are measured on: which samples, against which images?

The samples are labelled artifacts that neither trained the classifier nor made the units' global
scores DS, filled up with such as the classifier itself calls artifacts. They may be among the first
samples all the same, of which the quantiles T_u are and, where analyze.units has the seed of the
labels, the FID of units, which the row FID goes by. All corrections are of the same samples, and
all rows of equally many, because FID depends on their number.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Float32, Int, UInt8

from ganfail_jax.analysis.correction_effect import Inspect
from ganfail_jax.analysis.correction_methods import Method, Setting, correct
from ganfail_jax.data.image_sets import Images
from ganfail_jax.data.labels import Labelled
from ganfail_jax.errors import InputError
from ganfail_jax.images import to_uint8
from ganfail_jax.latents import renderer
from ganfail_jax.metrics.features import Features
from ganfail_jax.metrics.frechet import FeatureSet, feature_set, frechet
from ganfail_jax.metrics.measurement import Measurement
from ganfail_jax.metrics.precision_recall import Manifold, manifold, precision_recall
from ganfail_jax.runtime import Sweep
from ganfail_jax.studies.artifact_case import ArtifactCase, check_candidates, classify_candidates
from ganfail_jax.studies.corrections import Corrections
from ganfail_jax.studies.defective_scores import UnitScores
from ganfail_jax.studies.images import ImageSet

NORMALS = "reference normals"
CIRCULAR = "were not labelled but classified so by the classifier that also guides corrections"


class Settings(NamedTuple):
    """What decides which samples are measured, and against what."""

    num_artifacts: int = 1_000  # and as many normals, at most
    candidates: int = 4_000  # fresh samples among which the classifier finds further ones
    num_real: int = 10_000  # or of the generator's own normals, where they are the reference
    neighbours: int = 3  # k of realism


def check(case: ArtifactCase, settings: Settings, least: int) -> None:
    """What can be refused before images are read.

    Raises:
        InputError: as `Compared.check`.
    """
    check_candidates(case, settings.candidates)
    for name in ("num_artifacts", "num_real"):
        n = getattr(settings, name)
        if n <= least:
            raise InputError(f"--{name}={n} must be more than --neighbours={least}")


class Compared(NamedTuple):
    """What is compared with what, by which features."""

    corrections: Corrections
    features: Features
    real: ImageSet | None  # None: the generator's own normals
    settings: Settings = Settings()

    @property
    def identity(self) -> dict[str, Any]:
        """Of a result, beside that of the corrections."""
        return {
            "reference": "normals" if self.real is None else "real",
            "real": None if self.real is None else self.real.key,
            **self.settings._asdict(),
            "features": self.features.identity,
        }

    @property
    def title(self) -> str:
        """For a person."""
        against = "its own normals" if self.real is None else self.real.name
        return f"{self.corrections.case.title} against {against}"

    @property
    def names(self) -> tuple[str, str, str]:
        """For a folder."""
        generator, seed = self.corrections.case.names
        return generator, "normals" if self.real is None else self.real.name, seed

    def check(self, least: int) -> None:
        """
        Raises:
            InputError: there are not more samples or images than `least`, or not so many samples
                beyond the labelled ones as there are to be candidates.
        """
        check(self.corrections.case, self.settings, least)
        if self.real is not None and self.real.images.shape[0] <= least:
            n = self.real.images.shape[0]
            raise InputError(f"{self.real.name} has {n} images; more than {least} are needed")


class Population(NamedTuple):
    """Samples of one kind, the labelled ones first."""

    kind: str  # in the plural
    indices: Int[np.ndarray, " n"]
    labelled: int  # so many of them; the others are so by the classifier's word

    @property
    def sizes(self) -> dict[str, int]:
        """For a measurement."""
        return {
            f"held-out {self.kind}": self.labelled,
            f"{self.kind} by the classifier's word": len(self.indices) - self.labelled,
        }

    @property
    def warnings(self) -> tuple[str, ...]:
        called, n = len(self.indices) - self.labelled, len(self.indices)
        return (f"{called:,} of {n:,} {self.kind} {CIRCULAR}",) if called else ()


class Populations(NamedTuple):
    """What a table is measured on."""

    artifacts: Population
    normals: Population  # as many
    reference: Population  # other normals; empty: real images are the reference


class CorrectedImages(NamedTuple):
    """Samples with and without corrections, and what they are compared with."""

    compared: Compared
    units: UnitScores
    inspect: Inspect
    render: Callable[..., Array]
    batch_size: int
    populations: Populations

    def setting(self, stop: str, number: Callable[[int], int]) -> Setting:
        """As `Corrections.setting`."""
        return self.compared.corrections.setting(self.units, stop, number)

    def features(
        self,
        samples: Population,
        name: str,
        method: Method | None = None,
        setting: Setting | None = None,
    ) -> Float32[np.ndarray, "n d"]:
        """Features of samples, corrected by a method or as they are.

        Args:
            name: of the progress bar.
        """
        corrections = self.compared.corrections
        models = corrections.case.models

        def take(numbers: Int[np.ndarray, " b"]) -> UInt8[np.ndarray, "b h w c"]:
            some = samples.indices[numbers].astype(np.int32)
            edits = {}
            if method is not None and setting is not None:
                inspection = self.inspect(some) if setting.inspects(method) else None
                edits = correct(method, setting, inspection)
            return to_uint8(np.asarray(self.render(models.generator_params, some, edits)))

        images = Images((len(samples.indices), *models.generator.image_shape), take)
        how = None if setting is None else [method, dict(setting.numbers)]
        if setting is not None and setting.draw:
            how = [method, dict(setting.numbers), setting.draw]
        key = str([corrections.identity, samples.indices.tolist(), how])
        of_generator = ImageSet(corrections.case.names[0], images, key)
        return of_generator.features(self.compared.features, self.batch_size, name)

    def reference(self) -> "Reference":
        """What the samples are compared with."""
        real, features = self.compared.real, self.compared.features
        if real is None:
            normals = self.populations.reference
            rows = self.features(normals, NORMALS)
            return Reference(features.name, feature_set(rows), normals)
        rows = real.features(features, self.batch_size, "real images")
        return Reference(features.name, feature_set(rows), None)


class Reference(NamedTuple):
    """What samples are compared with."""

    name: str  # of the features
    images: FeatureSet
    normals: Population | None  # the generator's own; None: real images

    def fid(self, features: Float32[np.ndarray, "n d"], samples: Population) -> Measurement:
        """FID of samples, by their features."""
        return self._named(frechet(self.images, features, features=self.name), samples)

    def realism(
        self, real: Manifold, features: Float32[np.ndarray, "n d"], samples: Population
    ) -> Measurement:
        """Mean realism of samples.

        Args:
            real: the manifold of `self.images.features`.
        """
        measured = precision_recall(real, manifold(features, real.k), features=self.name)
        return self._named(measured.realism, samples)

    def _named(self, measured: Measurement, samples: Population) -> Measurement:
        metric, warnings, sizes = (
            measured.metric,
            measured.warnings,
            {"real": len(self.images.features)},
        )
        if self.normals is not None:
            metric, sizes = f"{metric} against the generator's own normals", self.normals.sizes
            warnings = tuple(text.replace("real images", NORMALS) for text in warnings)
            warnings += self.normals.warnings
        return measured._replace(
            metric=metric,
            samples={**sizes, **samples.sizes},
            warnings=warnings + samples.warnings,
        )


def corrected_images(compared: Compared, least: int, sweep: Sweep) -> CorrectedImages:
    """Find the samples and score the units.

    Raises:
        InputError: there are not more than `least` samples, before units are scored.
    """
    corrections, settings = compared.corrections, compared.settings
    case = corrections.case
    further = classify_candidates(case, settings.candidates, sweep)
    populations = _populations(case.held_out, further, settings, split=compared.real is None)
    n = len(populations.artifacts.indices)
    if n <= least:
        raise InputError(
            f"only {n} artifacts and as many normals, but more than {least} are needed: give more "
            "--candidates"
        )
    units = corrections.scores.units(sweep)
    return CorrectedImages(
        compared=compared,
        units=units,
        inspect=corrections.inspector(units),
        render=renderer(case.models.generator, case.seed),
        batch_size=sweep.batch_size,
        populations=populations,
    )


def _populations(
    held_out: Labelled, further: Labelled, settings: Settings, *, split: bool
) -> Populations:
    """
    Args:
        split: whether normals are also the reference.
    """
    bad = np.concatenate([held_out.artifacts, further.artifacts])
    good = np.concatenate([held_out.normals, further.normals])
    n = min(settings.num_artifacts, len(bad), len(good) // 2 if split else len(good))
    others = good[n:][: settings.num_real] if split else np.empty(0, np.int32)
    labelled = len(held_out.normals)
    return Populations(
        Population("artifacts", bad[:n], min(n, len(held_out.artifacts))),
        Population("normals", good[:n], min(n, labelled)),
        Population(NORMALS, others, min(max(labelled - n, 0), len(others))),
    )
