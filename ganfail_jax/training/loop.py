"""Runs the training of a GAN: data, steps, metrics, sheets, checkpoints, exact resume.

A run's folder holds `run.json` (the configuration), `checkpoints/` (Orbax, the whole TrainState),
`latest/` and `best/` (the averaged generator as a weights folder), `sheets/`, `tensorboard/`.
"""

import json
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from tensorboardX import SummaryWriter
from tqdm import tqdm

from ganfail_jax import runtime
from ganfail_jax.data.pipelines import Dataset, batch_indices, to_float
from ganfail_jax.errors import InputError
from ganfail_jax.nn import ops, stylegan2
from ganfail_jax.plots.sheets import save_sheet
from ganfail_jax.results import replace_file
from ganfail_jax.training import gan
from ganfail_jax.training.gan import GANConfig, TrainState
from ganfail_jax.weights import store

RUN = "run.json"
Evaluate = Callable[[Any], Mapping[str, float]]  # EMA variables -> metrics, "score" lower is better


class TrainingError(InputError):
    """The run cannot start or go on; one line says why and where the last good state is."""


class Schedule(NamedTuple):
    """How often things happen, in thousands of images."""

    log: float = 1.0
    checkpoint: float = 10.0
    evaluate: float = 20.0
    sheet: float = 20.0


def _due(step: int, batch_size: int, kimg: float) -> bool:
    """Whether this step is the first at or past a multiple of `kimg`."""
    images = kimg * 1000
    return (step * batch_size) // images > ((step - 1) * batch_size) // images


def _claim(folder: Path, config: GANConfig, dataset: Dataset) -> None:
    """Write run.json, or check that the run found there is this one."""
    wanted = {"dataset": dataset.name, "images": len(dataset.images), "config": config.to_dict()}
    path = folder / RUN
    if not path.exists():
        with replace_file(path) as new:
            new.write_text(json.dumps(wanted, indent=2) + "\n")
        return
    found = json.loads(path.read_text())
    length = {"total_kimg": None}  # a run may be made longer
    if {**found, "config": found["config"] | length} != {
        **json.loads(json.dumps(wanted)),
        "config": json.loads(json.dumps(wanted["config"])) | length,
    }:
        raise TrainingError(
            f"{folder} holds a run with another configuration; choose another --out"
        )


def _label(config: GANConfig, labels: np.ndarray) -> jax.Array | None:
    classes = config.generator.num_classes
    return ops.one_hot(labels, classes) if classes else None


def sample_sheet(config: GANConfig, variables: Any, path: Path, per_class: int = 10) -> None:
    """A sheet of fixed latents, one row per class."""
    classes = max(config.generator.num_classes, 1)
    labels = np.repeat(np.arange(classes), per_class)
    z = jax.random.normal(jax.random.key(0), (len(labels), config.generator.z_dim))
    generator = stylegan2.build(config.generator)
    render = jax.jit(lambda v, z, c: generator.synthesize(v, generator.styles(v, z, c))[0])
    save_sheet(path, np.asarray(render(variables, z, _label(config, labels))), per_class)


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
        TrainingError: another run is in the folder, or a loss is no longer finite.
    """
    (folder / "sheets").mkdir(parents=True, exist_ok=True)
    _claim(folder, config, dataset)
    mesh = runtime.data_mesh(devices)
    if config.batch_size % mesh.size:
        raise TrainingError(
            f"a batch of {config.batch_size} does not divide over {mesh.size} devices"
        )
    images, batch = to_float(dataset.images), config.batch_size
    last = math.ceil(config.total_kimg * 1000 / batch)
    last = last if stop_step is None else min(last, stop_step)
    run = gan.phases(config)
    options = ocp.CheckpointManagerOptions(max_to_keep=2, enable_async_checkpointing=False)
    with ocp.CheckpointManager((folder / "checkpoints").absolute(), options=options) as manager:
        state = runtime.replicate(mesh, gan.init(config))
        if (found := manager.latest_step()) is not None:
            abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, state)
            state = manager.restore(found, args=ocp.args.StandardRestore(abstract))
        first = int(state.step)
        writer = SummaryWriter(str(folder / "tensorboard"), purge_step=first)
        bar = tqdm(total=last * batch, initial=first * batch, unit="img", unit_scale=True)
        started = time.time()
        for step in range(first, last):
            chosen = batch_indices(len(images), batch, step, config.seed)
            label = _label(config, dataset.labels[chosen])
            inputs = runtime.shard_batch(mesh, (jnp.asarray(images[chosen]), label))
            state, metrics = gan.train_step(run, config, state, step, *inputs)
            done = step + 1
            bar.update(batch)
            if _due(done, batch, schedule.log) or done == last:
                values = {name: float(value) for name, value in metrics.items()}
                if not all(math.isfinite(value) for value in values.values()):
                    bar.close()
                    raise TrainingError(
                        f"a loss is not finite at step {done} ({values}); the last good "
                        f"checkpoint is step {manager.latest_step()} in {folder / 'checkpoints'}"
                    )
                values["augment_p"] = float(state.augment_p)
                values["img_per_s"] = (done - first) * batch / (time.time() - started)
                for name, value in values.items():
                    writer.add_scalar(name, value, done * batch)
            if _due(done, batch, schedule.evaluate) and evaluate is not None:
                _keep_best(folder, config, dataset, state, evaluate(state.ema), writer)
            if _due(done, batch, schedule.sheet) or done == last:
                sample_sheet(config, state.ema, folder / "sheets" / f"{done * batch:09d}.png")
            if _due(done, batch, schedule.checkpoint) or done == last:
                manager.save(done, args=ocp.args.StandardSave(state))
                _export(folder / "latest", config, dataset, state, {})
        bar.close()
        writer.close()
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
