"""Whose artifacts, which units draw them? The flags that the analyses of Tousi 2021 share.

An artifact classifier remembers on which labelled samples of which generator it was trained, so
that nothing is measured on them: units are scored on those (X_a), corrections on held-out ones.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags
from jaxtyping import Array, Bool, Float, Int

from analyze import flags as common
from ganfail_jax import results, runtime, zoo
from ganfail_jax.analysis.defects import ORDERS, Defects, defective_scores
from ganfail_jax.analysis.gradcam import THRESHOLD
from ganfail_jax.analysis.outputs import Models
from ganfail_jax.analysis.quantiles import TAU, Thresholds, count_activations, thresholds
from ganfail_jax.data.label_table import LARGEST
from ganfail_jax.errors import InputError
from ganfail_jax.latents import generate

FLAGS = flags.FLAGS
ARTIFACT = "artifact"
SAMPLES = LARGEST["index"] + 1  # of one seed
SETTINGS = ("tau", "threshold_samples", "mask_threshold", "order")  # of the scores


class Labelled(NamedTuple):
    """Samples of the case's seed."""

    indices: Int[np.ndarray, " n"]
    artifact: Bool[np.ndarray, " n"]

    @property
    def artifacts(self) -> Int[np.ndarray, " _"]:
        return self.indices[self.artifact]

    @property
    def normals(self) -> Int[np.ndarray, " _"]:
        return self.indices[~self.artifact]


class Case(NamedTuple):
    """A generator and a classifier of its artifacts."""

    models: Models
    artifact: int  # the classifier's class
    seed: int  # of all samples
    train: Labelled
    held_out: Labelled
    identity: dict[str, Any]  # of a result: generator, classifier, seed

    @property
    def beyond(self) -> int:
        """The first sample after all labelled ones."""
        labelled = np.concatenate([self.train.indices, self.held_out.indices])
        return 1 + int(labelled.max(initial=-1))


class Found(NamedTuple):
    """What is known of the units of layers."""

    scores: Mapping[str, Float[np.ndarray, " c"]]  # DS over X_a; empty: they are not asked for
    thresholds: Mapping[str, Float[np.ndarray, " c"]]  # T_u


class DefectChoice(NamedTuple):
    """The defective scores of one call."""

    identity: Mapping[str, Any]  # tells them from others
    find: Callable[[Path], Found]  # computes them, where need be, resuming in this folder


def define(defects: bool = True) -> None:
    """Beside --dataset, --generator and --batch_size.

    Args:
        defects: whether scores of another run can be used.
    """
    flags.DEFINE_string("artifact_classifier", None, "Folder of train.artifact_classifier.")
    flags.DEFINE_float("tau", TAU, "A unit is active where it exceeds its 1 - tau quantile.", 0, 1)
    flags.DEFINE_integer("threshold_samples", 5_000, "Samples that make the quantiles.", 1)
    text = "The artifact is where Grad-CAM exceeds this share of its maximum."
    flags.DEFINE_float("mask_threshold", THRESHOLD, text, 0, 1)
    text = "Of a unit's map; threshold first: paper, upsample first: GAN Dissection."
    flags.DEFINE_enum("order", ORDERS[0], ORDERS, text)
    if defects:
        flags.DEFINE_string("defects", None, "Folder of analyze.defects to use instead.")


def define_candidates() -> None:
    text = "Fresh samples among which the classifier finds further artifacts and normals."
    flags.DEFINE_integer("candidates", 4_000, text, 0)


def chosen() -> Case:
    """By the flags.

    Raises:
        InputError: no artifact classifier, or one of another generator; a share that is 1; or too
            many candidates.
    """
    name = FLAGS.artifact_classifier
    if name is None:
        raise InputError("give --artifact_classifier=FOLDER of train.artifact_classifier")
    for share in ("tau", "mask_threshold"):  # before the sweeps that end in them
        if FLAGS[share].value == 1:
            raise InputError(f"--{share} is at least 0 and less than 1, not 1")
    generator, params, identity = common.load_generator()
    common.check_labelled_noise(generator)
    stored = zoo.read_classifier(name)
    seed, train, held_out = _labelled(name, stored.about, identity)
    models = Models(generator, params, *zoo.load_classifier(name))
    identity |= {"artifact_classifier_sha256": stored.sha256, "seed": seed}
    artifact = models.classifier.class_names.index(ARTIFACT)
    case = Case(models, artifact, seed, train, held_out, identity)
    if "candidates" in FLAGS and case.beyond + FLAGS.candidates > SAMPLES:
        most = SAMPLES - case.beyond
        raise InputError(f"--candidates={FLAGS.candidates}, but {most} follow the labelled samples")
    return case


def _labelled(
    name: str, about: Mapping[str, Any], identity: Mapping[str, Any]
) -> tuple[int, Labelled, Labelled]:
    """The seed of the labels, and the labels that trained a classifier and the held-out ones."""

    def labelled(part: Mapping[str, Any]) -> Labelled:
        artifacts, normals = part[ARTIFACT], part["normal"]
        indices = np.asarray([*artifacts, *normals], np.int32)
        return Labelled(indices, np.arange(len(indices)) < len(artifacts))

    try:
        sha256, seed, told = about["generator_sha256"], int(about["seed"]), about["samples"]
        train, held_out = labelled(told["train"]), labelled(told["held_out"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{name} was not made by train.artifact_classifier") from error
    if sha256 != identity["generator_sha256"]:
        whose = about.get("generator", "unknown")
        raise InputError(f"{name} knows the artifacts of another generator: {whose}")
    return seed, train, held_out


def choose_defects(case: Case, layers: list[str], scored: bool) -> DefectChoice:
    """The scores of the units of these layers that the flags ask for.

    Args:
        scored: whether DS over X_a are needed, or T_u alone.

    Raises:
        InputError: --defects does not fit.
    """
    if FLAGS.defects is not None:
        return _read_defects(FLAGS.defects, case, layers)

    def find(folder: Path) -> Found:
        limits = quantiles(case, layers, folder)
        scores = score(case, limits, folder).scores if scored else {}
        return Found(scores, {name: each.value for name, each in limits.items()})

    return DefectChoice(identity_of_scores(layers), find)


def identity_of_scores(layers: list[str]) -> dict[str, Any]:
    """The settings that `score` goes by."""
    return {"layers": layers, **{name: FLAGS[name].value for name in SETTINGS}}


def _read_defects(folder: str, case: Case, layers: list[str]) -> DefectChoice:
    result = results.load(folder)
    made, arrays = result.provenance["identity"], result.arrays
    for name in SETTINGS:
        if FLAGS[name].present:
            raise InputError(f"--defects has its own {name}: leave --{name} out")
    for name in ("generator_sha256", "artifact_classifier_sha256"):
        if made.get(name) != case.identity[name]:
            what = name.removesuffix("_sha256").replace("_", " ")
            raise InputError(f"the scores in {folder} are of another {what}")
    kinds = ("scores", "thresholds")
    if missing := [
        name for name in layers if any(f"{kind}/{name}" not in arrays for kind in kinds)
    ]:
        raise InputError(
            f"the scores in {folder} lack {', '.join(missing)}; give analyze.defects these "
            "--layers, or leave --defects out"
        )
    found = Found(
        {name: arrays[f"scores/{name}"] for name in layers},
        {name: arrays[f"thresholds/{name}"] for name in layers},
    )
    identity = {"layers": layers, **{name: made.get(name) for name in SETTINGS}}
    return DefectChoice(identity, lambda _: found)


def quantiles(case: Case, layers: list[str], folder: Path) -> dict[str, Thresholds]:
    """T_u over --threshold_samples samples."""
    counts = count_activations(
        case.models.generator,
        case.models.generator_params,
        layers,
        num_samples=FLAGS.threshold_samples,
        batch_size=FLAGS.batch_size,
        mesh=runtime.data_mesh(),
        seed=case.seed,
        checkpoint=folder / "unfinished-quantiles.npz",
        identity={**case.identity, **identity_of_scores(layers)},
        progress="quantiles",
    )
    return {name: thresholds(each, FLAGS.tau) for name, each in counts.items()}


def score(case: Case, limits: Mapping[str, Thresholds], folder: Path) -> Defects:
    """DS over the artifacts of the training labels."""
    return defective_scores(
        case.models,
        {name: each.value for name, each in limits.items()},
        case.train.artifacts,
        artifact=case.artifact,
        batch_size=FLAGS.batch_size,
        mesh=runtime.data_mesh(),
        seed=case.seed,
        mask_threshold=FLAGS.mask_threshold,
        order=FLAGS.order,
        checkpoint=folder / "unfinished-defects.npz",
        identity={**case.identity, **identity_of_scores(list(limits))},
        progress="defective scores",
    )


def called(case: Case, folder: Path) -> Labelled:
    """Of --candidates samples beyond the labelled ones, what the classifier itself calls them.

    It takes its own errors for granted: say so beside whatever is measured on these.
    """
    models, first = case.models, case.beyond

    @jax.jit
    def step(params: Any, numbers: Array, mask: Array) -> tuple[Array, Array]:
        here = models.with_params(params)
        images, _ = generate(here.generator, here.generator_params, case.seed, first + numbers)
        logits = models.classifier.logits(here.classifier_params, images)
        return jnp.argmax(logits, axis=1) == case.artifact, mask

    mesh = runtime.data_mesh()
    artifact, mask = runtime.sweep(
        partial(step, runtime.replicate(mesh, models.params)),
        runtime.append_rows,
        FLAGS.candidates,
        FLAGS.batch_size,
        mesh=mesh,
        checkpoint=folder / "unfinished-candidates.npz",
        identity=case.identity,
        progress="candidates",
    )
    return Labelled(first + np.arange(FLAGS.candidates), np.asarray(artifact)[np.asarray(mask)])
