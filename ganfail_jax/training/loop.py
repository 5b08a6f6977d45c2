"""Runs the training of a GAN: data, steps, metrics, sheets, checkpoints, exact resume.

A run's folder holds `run.json` (the configuration), `checkpoints/` (Orbax, the whole TrainState),
`latest/` and `best/` (the averaged generator as a weights folder), `sheets/`, `tensorboard/`.
"""

import json
import math
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from tensorboardX import SummaryWriter
from tqdm import tqdm

from ganfail_jax import runtime
from ganfail_jax.data.pipelines import Dataset, batch_indices, class_groups, to_float
from ganfail_jax.errors import InputError
from ganfail_jax.nn import ops, stylegan2
from ganfail_jax.nn.stylegan2 import StyleGAN2Config
from ganfail_jax.plots.sheets import save_sheet
from ganfail_jax.results import replace_file, writable_folder
from ganfail_jax.training import gan
from ganfail_jax.training.gan import GANConfig, TrainState
from ganfail_jax.weights import store

RUN = "run.json"
Evaluate = Callable[[Any], Mapping[str, float]]  # EMA variables -> metrics, "score" lower is better


class TrainingError(InputError):
    """The run cannot start or go on; one line says why and where the last good state is."""


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


def _check(config: GANConfig, dataset: Dataset, devices: int) -> None:
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


def _settings(run: dict[str, Any]) -> dict[str, Any]:
    """The contents of run.json by name, such as `generator.z_dim`."""
    config = run["config"]
    networks = {
        f"{part}.{name}": value
        for part in ("generator", "discriminator")
        for name, value in config[part].items()
    }
    return {**run, **config, **networks, "config": None, "generator": None, "discriminator": None}


def _claim(folder: Path, config: GANConfig, dataset: Dataset) -> None:
    """Write run.json, or check that the run found there is this one; it may be made longer.

    Raises:
        TrainingError: it is another run (with what differs) or unreadable.
    """
    run = {"dataset": dataset.name, "images": len(dataset.images), "config": config.to_dict()}
    path = folder / RUN
    if path.exists():
        try:
            found = _settings(json.loads(path.read_text()))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise TrainingError(f"{path} is damaged ({error!r}); choose another --out") from error
        wanted = _settings(run)
        names = sorted({*found, *wanted} - {"total_kimg"})
        differs = [n for n in names if found.get(n) != wanted.get(n)]
        if differs:
            listed = ", ".join(f"{n}={found.get(n)}, not {wanted.get(n)}" for n in differs)
            raise TrainingError(f"{folder} holds a run with {listed}; choose another --out")
    with replace_file(path) as new:
        new.write_text(json.dumps(run, indent=2) + "\n")


def _label(config: GANConfig, labels: np.ndarray) -> jax.Array | None:
    classes = config.generator.num_classes
    return ops.one_hot(jnp.asarray(labels), classes) if classes else None


@cache
def _render(config: StyleGAN2Config) -> Callable[..., jax.Array]:
    generator = stylegan2.build(config)
    return jax.jit(lambda v, z, c: generator.synthesize(v, generator.styles(v, z, c))[0])


def sample_sheet(config: GANConfig, variables: Any, path: Path, per_class: int = 10) -> None:
    """A sheet of fixed latents, one row per class."""
    classes = max(config.generator.num_classes, 1)
    labels = np.repeat(np.arange(classes), per_class)
    z = jax.random.normal(jax.random.key(0), (len(labels), config.generator.z_dim))
    images = _render(config.generator)(variables, z, _label(config, labels))
    save_sheet(path, np.asarray(images), per_class)


@jax.jit
def _all_finite(tree: Any) -> jax.Array:
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(tree)]))


def _restore(manager: ocp.CheckpointManager, fresh: TrainState) -> TrainState:
    """The newest checkpoint, laid out like `fresh`; without one `fresh` itself."""
    step = manager.latest_step()
    if step is None:
        return fresh
    abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, fresh)
    try:
        restored: Any = manager.restore(step, args=ocp.args.StandardRestore(abstract))
    except Exception as error:  # whatever the layers below Orbax raise for a damaged file
        folder = Path(manager.directory) / str(step)
        raise TrainingError(
            f"checkpoint {folder} is damaged or of another network; "
            "delete that folder to go on from the one before"
        ) from error
    return restored


def train(
    config: GANConfig,
    dataset: Dataset,
    folder: Path,
    *,
    schedule: Schedule = Schedule(),  # noqa: B008
    evaluate: Evaluate | None = None,
    devices: list[Any] | None = None,
    stop_step: int | None = None,
) -> TrainState:
    """Train to `config.total_kimg`, resuming whatever the folder holds.

    Args:
        evaluate: measures the averaged generator; the lowest "score" is kept in `best/`.
        stop_step: stop early after this step, checkpointed (the run can be resumed).

    Raises:
        ResultError: the folder cannot be written.
        TrainingError: data and networks do not fit, another run is in the folder, a checkpoint is
            damaged, or a loss or parameter is no longer finite.
    """
    mesh, batch = runtime.data_mesh(devices), config.batch_size
    _check(config, dataset, mesh.size)
    writable_folder(folder / "sheets")
    _claim(folder, config, dataset)
    last = math.ceil(config.total_kimg * 1000 / batch)
    last = last if stop_step is None else min(last, stop_step)
    run = gan.phases(config)
    options = ocp.CheckpointManagerOptions(max_to_keep=2, enable_async_checkpointing=False)
    checkpoints = (folder / "checkpoints").absolute()
    with ExitStack() as stack:
        manager = stack.enter_context(ocp.CheckpointManager(checkpoints, options=options))
        state = _restore(manager, runtime.replicate(mesh, gan.init(config)))
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
            state, new = gan.train_step(run, config, state, step, *inputs)
            metrics |= new
            done = step + 1
            bar.update(batch)
            due = [done == last or _due(done, batch, kimg) for kimg in schedule]
            if not any(due):
                continue
            log, save, measure, draw = due
            values = {name: float(value) for name, value in metrics.items()}
            if not all(map(math.isfinite, values.values())) or not _all_finite(state):
                raise TrainingError(
                    f"not finite any more at step {done} ({values}); "
                    f"the last good checkpoint is step {manager.latest_step()} in {checkpoints}"
                )
            if log:
                values["augment_p"] = float(state.augment_p)
                values["img_per_s"] = (done - first) * batch / (time.monotonic() - started)
                for name, value in values.items():
                    writer.add_scalar(name, value, done * batch)
            if measure and evaluate is not None:
                _keep_best(folder, config, dataset, state, evaluate(state.ema), writer)
            if draw:
                sample_sheet(config, state.ema, folder / "sheets" / f"{done * batch:09d}.png")
            if save:
                manager.save(done, args=ocp.args.StandardSave(state))
                _export(folder / "latest", config, dataset, state, {})
    return state


def _export(
    folder: Path,
    config: GANConfig,
    dataset: Dataset,
    state: TrainState,
    measured: Mapping[str, float],
) -> None:
    about = {
        "dataset": dataset.name,
        "class_names": list(dataset.class_names),
        "images_seen": int(state.step) * config.batch_size,
        "measured": dict(measured),
    }
    store.save(folder, "stylegan2", config.generator.to_dict(), state.ema, about)


def _keep_best(
    folder: Path,
    config: GANConfig,
    dataset: Dataset,
    state: TrainState,
    measured: Mapping[str, float],
    writer: SummaryWriter,
) -> None:
    for name, value in measured.items():
        writer.add_scalar(f"quality/{name}", value, int(state.step) * config.batch_size)
    best = folder / "best"
    if store.is_weights_folder(best):
        previous = store.load(best).about["measured"]["score"]
        if measured["score"] >= previous:
            return
    _export(best, config, dataset, state, measured)
