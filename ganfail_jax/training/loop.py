"""Runs the training of a GAN: data, steps, metrics, sheets, checkpoints, exact resume.

A run's folder holds `run.json` (the configuration), `checkpoints/` (Orbax, the whole TrainState),
`latest/` and `best/` (the averaged generator as a weights folder), `discriminator/` (that of the
same step as `latest/`, also a weights folder), `sheets/`, `tensorboard/`.
"""

import itertools
import math
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from jax.sharding import Mesh
from jaxtyping import Int64, UInt8
from tensorboardX import SummaryWriter

from ganfail_jax import files, pinned, plots, runtime
from ganfail_jax.data.pipelines import Dataset, batch_indices, class_groups
from ganfail_jax.images import to_float
from ganfail_jax.results import writable_folder
from ganfail_jax.training import checkpoints, pggan_step, stylegan2_run, stylegan2_step
from ganfail_jax.training.checkpoints import TrainingError
from ganfail_jax.training.recipe import Recipe, RunConfig
from ganfail_jax.weights import store
from ganfail_jax.weights.errors import WeightsError
from ganfail_jax.writing import only_writer

RECIPES: dict[type[RunConfig], Callable[..., Recipe]] = {
    stylegan2_run.StyleGAN2Run: stylegan2_step.recipe,
    pggan_step.PGGANRun: pggan_step.recipe,
}
MAY_CHANGE = ("total_kimg", "learning_rate", "decay_kimg", "ema_kimg")  # when a run is resumed


class Judge(NamedTuple):
    """By what the best snapshot is kept: the lowest "score" at full resolution, in `best/`."""

    evaluate: Callable[[Any], Mapping[str, float]]  # averaged variables -> metrics
    scored_on: str | None = None  # the best by another score gives way to the next one


class Start(NamedTuple):
    """Weights that the networks start from; None: random ones."""

    generator: store.Stored | None = None
    discriminator: store.Stored | None = None


class Schedule(NamedTuple):
    """How often things happen, in thousands of images; 0: never (but at the end)."""

    log: float = 1.0
    checkpoint: float = 10.0
    evaluate: float = 20.0
    sheet: float = 20.0


class Milestones(NamedTuple):
    """What is due after a step."""

    log: bool
    checkpoint: bool
    evaluate: bool
    sheet: bool


class Training(NamedTuple):
    """A run whose settings, data and weights fit together; nothing is written yet."""

    config: RunConfig
    dataset: Dataset
    folder: Path
    schedule: Schedule
    judge: Judge | None
    mesh: Mesh
    recipe: Recipe
    variables: tuple[Any, Any]  # that generator and discriminator start from; None: random ones
    run: Mapping[str, Any]  # the content of run.json
    origin: Mapping[str, Any]  # what the weights record


def _due(step: int, batch_size: int, kimg: float) -> bool:
    """Whether this step is the first at or past a multiple of `kimg`."""
    images = kimg * 1000
    return images > 0 and (step * batch_size) // images > ((step - 1) * batch_size) // images


def _check(config: RunConfig, dataset: Dataset, devices: int) -> None:
    generator = config.generator
    ours = (generator.resolution, generator.resolution, generator.img_channels)
    if dataset.images.shape[1:] != ours:
        theirs, makes = ("x".join(map(str, s)) for s in (dataset.images.shape[1:], ours))
        raise TrainingError(f"images of {dataset.name} are {theirs}, this generator makes {makes}")
    if generator.num_classes not in (0, len(dataset.class_names)):
        raise TrainingError(
            f"{dataset.name} has {len(dataset.class_names)} classes, "
            f"this generator {generator.num_classes}"
        )
    if config.batch_size % devices:
        raise TrainingError(
            f"a batch of {config.batch_size} does not divide over {devices} devices"
        )


def _check_same(folder: Path, present: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Refuse to resume another run."""
    differs = checkpoints.differences(present, wanted)
    differs = {name: pair for name, pair in differs.items() if name not in MAY_CHANGE}
    if differs:
        listed = ", ".join(f"{name}={old}, not {new}" for name, (old, new) in differs.items())
        raise TrainingError(f"{folder} holds a run with {listed}; choose another --out")


def _label(config: RunConfig, labels: np.ndarray) -> jax.Array | None:
    classes = config.generator.num_classes
    return jax.nn.one_hot(labels, classes) if classes else None


def _variables(start: store.Stored | None, kind: str, network: Any, config: Any) -> Any:
    """The stored variables of a network to start from; None without any."""
    if start is None:
        return None
    if start.kind != kind:
        raise TrainingError(f"weights of a {start.kind} to start from, but this is a {kind}")
    template = jax.eval_shape(partial(network.init, config), pinned.key(0))
    try:
        return store.assign(start, template)
    except WeightsError as error:
        what = "discriminator" if kind.endswith("discriminator") else "generator"
        raise TrainingError(f"these weights do not fit the {what} to train: {error}") from error


@cache
def _render(network: Any, config: Any) -> Callable[..., jax.Array]:
    generator = network.build(config)
    return jax.jit(lambda v, z, c: generator.synthesize(v, generator.styles(v, z, c))[0])


def sample_sheet(
    config: RunConfig, recipe: Recipe, snapshot: tuple[Any, Any], path: Path, per_class: int = 10
) -> None:
    """A sheet of fixed latents by the averaged generator (`Recipe.snapshot`), one row per class."""
    classes = max(config.generator.num_classes, 1)
    labels = np.repeat(np.arange(classes), per_class)
    z = jax.random.normal(pinned.key(0), (len(labels), config.generator.z_dim), jnp.float32)
    reached, variables = snapshot
    images = _render(recipe.network, reached)(variables, z, _label(config, labels))
    plots.sheets.save_sheet(path, np.asarray(images), per_class)


@pinned.settings()
def prepare(
    config: RunConfig,
    dataset: Dataset,
    folder: Path,
    *,
    schedule: Schedule = Schedule(),
    judge: Judge | None = None,
    start: Start = Start(),
    devices: list[Any] | None = None,
) -> Training:
    """A run in a folder, checked.

    Args:
        judge: None: no best snapshot is kept.

    Raises:
        TrainingError: data, networks, weights and devices do not fit together.
    """
    mesh = runtime.data_mesh(devices)
    _check(config, dataset, mesh.size)
    recipe = RECIPES[type(config)](config, mesh)
    kind = recipe.kind
    parts = (
        (start.generator, kind, recipe.network, config.generator),
        (start.discriminator, f"{kind}_discriminator", recipe.critic_network, config.discriminator),
    )
    generator, discriminator = (_variables(*part) for part in parts)
    run = {**dataset.identity, "config": config.to_dict()}
    origin = {"dataset": dataset.name, "class_names": list(dataset.class_names)}
    if start.generator is not None:
        run["start_from"] = start.generator.sha256
        origin["start_from"] = {"sha256": start.generator.sha256, **start.generator.about}
    if start.discriminator is not None:
        run["start_discriminator"] = start.discriminator.sha256
    return Training(
        config=config,
        dataset=dataset,
        folder=folder,
        schedule=schedule,
        judge=judge,
        mesh=mesh,
        recipe=recipe,
        variables=(generator, discriminator),
        run=run,
        origin=origin,
    )


@pinned.settings(precision=None)
def train(training: Training, stop_step: int | None = None) -> Any:
    """Train to `config.total_kimg`, resuming whatever the folder holds -> the last state.

    It runs in JAX's default precision of matrix products; only analyses need the highest.

    Args:
        stop_step: stop early after this step, checkpointed (the run can be resumed).

    Raises:
        InputError: the folder cannot be written, another process writes in it or it holds
            something else, a checkpoint is damaged, weights to start from are given to a PGGAN that
            has to grow first, or a loss or parameter is no longer finite.
    """
    config, folder, recipe = training.config, training.folder, training.recipe
    batch = config.batch_size
    fresh = recipe.init(*training.variables)
    last = math.ceil(config.total_kimg * 1000 / batch)
    last = last if stop_step is None else min(last, stop_step)
    with ExitStack() as stack:
        stack.enter_context(only_writer(writable_folder(folder)))
        checkpoints.claim(folder, training.run, _check_same)
        writable_folder(folder / "sheets")
        for part in ("best", "latest", "discriminator"):
            store.settle(folder / part)
        manager = stack.enter_context(checkpoints.manager(folder))
        state = checkpoints.restore(manager, runtime.replicate(training.mesh, fresh))
        first = int(state.step)
        # TensorBoard forgets what an interrupted run wrote past its last checkpoint.
        writer = SummaryWriter(str(folder / "tensorboard"), purge_step=first * batch + 1)
        stack.callback(writer.close)
        bar = runtime.progress_bar("training", last * batch, first * batch, scale=True)
        stack.callback(bar.close)
        metrics, started = {}, time.monotonic()
        steps = range(first, last)
        numbers, ahead = itertools.tee(_rows(training, step) for step in steps)
        batches = training.dataset.images.batches(ahead)
        for step, rows, images in zip(steps, numbers, batches, strict=True):
            state, new = recipe.step(state, step, *_inputs(training, rows, images))
            metrics |= new
            done = step + 1
            bar.update(batch)
            due = Milestones(*(done == last or _due(done, batch, k) for k in training.schedule))
            if not any(due):
                continue
            values = _finite(metrics, state, done, manager)
            if due.log:
                values |= recipe.status(state)
                values["img_per_s"] = (done - first) * batch / (time.monotonic() - started)
                for name, value in values.items():
                    writer.add_scalar(name, value, done * batch)
            _show(training, due, state, done * batch, writer)
            if due.checkpoint:
                manager.save(done, args=ocp.args.StandardSave(state))
    return state


def _finite(
    metrics: Mapping[str, Any], state: Any, step: int, manager: ocp.CheckpointManager
) -> dict[str, float]:
    """The metrics as numbers; raises as `train`."""
    values = {name: float(value) for name, value in metrics.items()}
    if not checkpoints.finite(values, state):
        raise TrainingError(
            f"not finite any more at step {step} ({values}); "
            f"the last good checkpoint is step {manager.latest_step()} in {manager.directory}"
        )
    return values


def _rows(training: Training, step: int) -> Int64[np.ndarray, " b"]:
    """The numbers of a step's images."""
    config, labels = training.config, training.dataset.labels
    rows = batch_indices(len(labels), config.batch_size, step, config.seed)
    if config.generator.num_classes:
        rows = rows[class_groups(labels[rows], config.discriminator.group_size)]
    return rows


def _inputs(
    training: Training, rows: Int64[np.ndarray, " b"], images: UInt8[np.ndarray, "b h w c"]
) -> Any:
    """Images and labels of a step, on the mesh."""
    label = _label(training.config, training.dataset.labels[rows])
    return runtime.shard_batch(training.mesh, (jnp.asarray(to_float(images)), label))


def _show(
    training: Training, due: Milestones, state: Any, num_images: int, writer: SummaryWriter
) -> None:
    """Measure and draw the averaged generator, and write both networks' weights."""
    config, folder, recipe = training.config, training.folder, training.recipe
    snapshot = reached, variables = recipe.snapshot(state)
    if due.evaluate and training.judge is not None and reached == config.generator:
        measured = training.judge.evaluate(variables)
        for name, value in measured.items():
            writer.add_scalar(f"quality/{name}", value, num_images)
        _keep_best(training, num_images, snapshot, measured, training.judge.scored_on)
    if due.sheet:
        sample_sheet(config, recipe, snapshot, folder / "sheets" / f"{num_images:09d}.png")
    if due.checkpoint:  # last: a run killed before it repeats the step, and with it the export
        about = {**training.origin, "images_seen": num_images}
        _export(folder / "latest", recipe.kind, snapshot, {**about, "measured": {}})
        about["generator_sha256"] = store.load(folder / "latest").sha256
        kind = f"{recipe.kind}_discriminator"
        _export(folder / "discriminator", kind, recipe.critic(state), about)


def _export(folder: Path, kind: str, network: tuple[Any, Any], about: Mapping[str, Any]) -> None:
    config, variables = network
    store.save(folder, kind, config.to_dict(), variables, about)


def _keep_best(
    training: Training,
    num_images: int,
    snapshot: tuple[Any, Any],
    measured: Mapping[str, float],
    scored_on: str | None,
) -> None:
    """Write the snapshot, unless the best so far has a lower score of the same features."""
    best = training.folder / "best"
    if store.is_weights_folder(best):
        about = store.load(best).about
        with files.expected(best, TrainingError):
            same = about.get("scored_on", scored_on) == scored_on
            if same and measured["score"] >= about["measured"]["score"]:
                return
    about = {**training.origin, "scored_on": scored_on, "images_seen": num_images}
    _export(best, training.recipe.kind, snapshot, {**about, "measured": dict(measured)})
