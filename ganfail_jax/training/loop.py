"""Runs the training of a GAN: data, steps, metrics, sheets, checkpoints, exact resume.

A run's folder holds `run.json` (the configuration), `checkpoints/` (Orbax, the whole TrainState),
`latest/` and `best/` (the averaged generator as a weights folder), `discriminator/` (that of the
same step as `latest/`, also a weights folder), `sheets/`, `tensorboard/`.
"""

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
from tensorboardX import SummaryWriter
from tqdm import tqdm

from ganfail_jax import plots, runtime
from ganfail_jax.data.pipelines import Dataset, batch_indices, class_groups
from ganfail_jax.images import to_float
from ganfail_jax.results import writable_folder
from ganfail_jax.training import checkpoints, pggan_step, stylegan2_step
from ganfail_jax.training.checkpoints import TrainingError
from ganfail_jax.training.recipe import Recipe, RunConfig
from ganfail_jax.weights import store
from ganfail_jax.weights.errors import WeightsError

RECIPES: dict[type[RunConfig], Callable[..., Recipe]] = {
    stylegan2_step.StyleGAN2Run: stylegan2_step.recipe,
    pggan_step.PGGANRun: pggan_step.recipe,
}
MAY_CHANGE = ("total_kimg", "learning_rate", "decay_kimg", "ema_kimg")  # when a run goes on
Evaluate = Callable[[Any], Mapping[str, float]]  # EMA variables -> metrics, "score" lower is better


class Schedule(NamedTuple):
    """How often things happen, in thousands of images; 0: never (but at the end)."""

    log: float = 1.0
    checkpoint: float = 10.0
    evaluate: float = 20.0
    sheet: float = 20.0


def _due(step: int, batch_size: int, kimg: float) -> bool:
    """Whether this step is the first at or past a multiple of `kimg`."""
    images = kimg * 1000
    return images > 0 and (step * batch_size) // images > ((step - 1) * batch_size) // images


def _check(config: RunConfig, dataset: Dataset, devices: int) -> None:
    generator = config.generator
    ours = (generator.resolution, generator.resolution, generator.img_channels)
    if dataset.images.shape[1:] != ours:
        raise TrainingError(
            f"images of {dataset.name} are {dataset.images.shape[1:]}, this generator makes {ours}"
        )
    if generator.num_classes not in (0, len(dataset.class_names)):
        raise TrainingError(
            f"{dataset.name} has {len(dataset.class_names)} classes, "
            f"this generator {generator.num_classes}"
        )
    if config.batch_size % devices:
        raise TrainingError(
            f"a batch of {config.batch_size} does not divide over {devices} devices"
        )


def _check_same(folder: Path, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Refuse to go on with another run."""
    differs = checkpoints.differences(found, wanted)
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
    template = jax.eval_shape(partial(network.init, config), jax.random.key(0))
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
    z = jax.random.normal(jax.random.key(0), (len(labels), config.generator.z_dim))
    reached, variables = snapshot
    images = _render(recipe.network, reached)(variables, z, _label(config, labels))
    plots.sheets.save_sheet(path, np.asarray(images), per_class)


def train(
    config: RunConfig,
    dataset: Dataset,
    folder: Path,
    *,
    schedule: Schedule = Schedule(),
    evaluate: Evaluate | None = None,
    scored_on: str | None = None,
    start: store.Stored | None = None,
    start_discriminator: store.Stored | None = None,
    devices: list[Any] | None = None,
    stop_step: int | None = None,
) -> Any:
    """Train to `config.total_kimg`, resuming whatever the folder holds.

    Args:
        evaluate: measures the averaged generator once it is fully grown; the lowest "score" is
            kept in `best/`.
        scored_on: what the score is of; the best one by another score gives way to the next one.
        start: weights that the generator starts from.
        start_discriminator: weights that the discriminator starts from.
        stop_step: stop early after this step, checkpointed (the run can be resumed).

    Raises:
        ResultError: the folder cannot be written.
        TrainingError: data and networks do not fit, something else is in the folder, a checkpoint
            is damaged, or a loss or parameter is no longer finite.
    """
    mesh, batch = runtime.data_mesh(devices), config.batch_size
    _check(config, dataset, mesh.size)
    about = {"dataset": dataset.name, "images": len(dataset.images), "config": config.to_dict()}
    origin = {"dataset": dataset.name, "class_names": list(dataset.class_names)}
    recipe = RECIPES[type(config)](config, mesh)
    kind, critic_kind = recipe.kind, f"{recipe.kind}_discriminator"
    generator = _variables(start, kind, recipe.network, config.generator)
    discriminator = _variables(
        start_discriminator, critic_kind, recipe.critic_network, config.discriminator
    )
    if start is not None:
        about["start_from"] = start.sha256
        origin["start_from"] = {"sha256": start.sha256, **start.about}
    if start_discriminator is not None:
        about["start_discriminator"] = start_discriminator.sha256
    fresh = recipe.init(generator, discriminator)
    checkpoints.claim(folder, about, _check_same)
    writable_folder(folder / "sheets")
    last = math.ceil(config.total_kimg * 1000 / batch)
    last = last if stop_step is None else min(last, stop_step)
    with ExitStack() as stack:
        manager = stack.enter_context(checkpoints.manager(folder))
        state = checkpoints.restore(manager, runtime.replicate(mesh, fresh))
        first = int(state.step)
        # TensorBoard forgets what an interrupted run wrote past its last checkpoint.
        writer = SummaryWriter(str(folder / "tensorboard"), purge_step=first * batch + 1)
        stack.callback(writer.close)
        bar = tqdm(total=last * batch, initial=first * batch, unit="img", unit_scale=True)
        stack.callback(bar.close)
        metrics, started = {}, time.monotonic()
        for step in range(first, last):
            chosen = batch_indices(len(dataset.images), batch, step, config.seed)
            if config.generator.num_classes:
                group = config.discriminator.group_size
                chosen = chosen[class_groups(dataset.labels[chosen], group)]
            images = jnp.asarray(to_float(dataset.images[chosen]))
            inputs = runtime.shard_batch(mesh, (images, _label(config, dataset.labels[chosen])))
            state, new = recipe.step(state, step, *inputs)
            metrics |= new
            done = step + 1
            bar.update(batch)
            due = [done == last or _due(done, batch, kimg) for kimg in schedule]
            if not any(due):
                continue
            log, save, measure, draw = due
            values = {name: float(value) for name, value in metrics.items()}
            if not checkpoints.finite(values, state):
                raise TrainingError(
                    f"not finite any more at step {done} ({values}); "
                    f"the last good checkpoint is step {manager.latest_step()} "
                    f"in {manager.directory}"
                )
            if log:
                values |= recipe.status(state)
                values["img_per_s"] = (done - first) * batch / (time.monotonic() - started)
                for name, value in values.items():
                    writer.add_scalar(name, value, done * batch)
            snapshot = reached, variables = recipe.snapshot(state)
            if measure and evaluate is not None and reached == config.generator:
                measured = evaluate(variables)
                scored = {**origin, "scored_on": scored_on}
                _keep_best(folder, done * batch, recipe, scored, snapshot, measured, writer)
            if draw:
                sheet = folder / "sheets" / f"{done * batch:09d}.png"
                sample_sheet(config, recipe, snapshot, sheet)
            if save:
                # Last: a run killed before it repeats the step, and with it the export.
                _export(folder / "latest", done * batch, recipe, origin, snapshot, {})
                _export_discriminator(folder, done * batch, recipe, origin, state)
                manager.save(done, args=ocp.args.StandardSave(state))
    return state


def _export(
    folder: Path,
    seen: int,
    recipe: Recipe,
    origin: Mapping[str, Any],
    snapshot: tuple[Any, Any],
    measured: Mapping[str, float],
) -> None:
    config, variables = snapshot
    about = {**origin, "images_seen": seen, "measured": dict(measured)}
    store.save(folder, recipe.kind, config.to_dict(), variables, about)


def _export_discriminator(
    folder: Path, seen: int, recipe: Recipe, origin: Mapping[str, Any], state: Any
) -> None:
    config, variables = recipe.critic(state)
    against = store.load(folder / "latest").sha256
    about = {**origin, "images_seen": seen, "generator_sha256": against}
    kind = f"{recipe.kind}_discriminator"
    store.save(folder / "discriminator", kind, config.to_dict(), variables, about)


def _keep_best(
    folder: Path,
    seen: int,
    recipe: Recipe,
    origin: Mapping[str, Any],
    snapshot: tuple[Any, Any],
    measured: Mapping[str, float],
    writer: SummaryWriter,
) -> None:
    for name, value in measured.items():
        writer.add_scalar(f"quality/{name}", value, seen)
    best = folder / "best"
    if store.is_weights_folder(best):
        about = store.load(best).about
        same = about.get("scored_on", origin["scored_on"]) == origin["scored_on"]
        if same and measured["score"] >= about["measured"]["score"]:
            return
    _export(best, seen, recipe, origin, snapshot, measured)
