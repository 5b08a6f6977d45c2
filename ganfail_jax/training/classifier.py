"""Trains the classifier that is to be characterised (Le Coz 2022, sec. 3.2) and counts its hits.

Everything random is a function of (seed, step) and everything that changes is in `TrainState`, so
that a resumed run repeats an uninterrupted one. The run's folder holds `run.json` and, until the
weights are in it, `checkpoints/` (Orbax).
"""

import itertools
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint as ocp
from jaxtyping import Array, Float, Int, UInt8

from ganfail_jax import pinned, runtime
from ganfail_jax.data.pipelines import Dataset, batch_indices
from ganfail_jax.images import to_float
from ganfail_jax.nn import classifiers, small_resnet
from ganfail_jax.nn.classifiers import CNNConfig
from ganfail_jax.nn.small_resnet import SmallResNetConfig
from ganfail_jax.training import checkpoints
from ganfail_jax.training.checkpoints import TrainingError
from ganfail_jax.types import Classifier, Params

CHECK_STEPS = 50  # how often the loss is looked at
CHOOSE_STEPS = 250  # how often the images that choose the step are classified
MODULES: Mapping[type, Any] = {CNNConfig: classifiers, SmallResNetConfig: small_resnet}


@dataclass(frozen=True)
class ClassifierConfig:
    """A training run."""

    network: CNNConfig | SmallResNetConfig = field(default_factory=CNNConfig)
    batch_size: int = 128
    steps: int = 4000
    learning_rate: float = 2e-3  # falls to 0 along a half cosine
    weight_decay: float = 1e-2
    max_shift: int = 2  # pixels, in rows and in columns; what comes in is reflected
    class_weights: tuple[float, ...] | None = None  # of the loss; None: all 1
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch_size < 1:
            raise TrainingError(
                f"steps and batch_size must be at least 1, not {self.steps} and {self.batch_size}"
            )
        if isinstance(self.network, CNNConfig):
            most, what = min(self.network.margins), "px around the crop"
        else:
            most, what = min(self.network.image_shape[:2]) - 1, "px that can be reflected"
        if not 0 <= self.max_shift <= most:
            raise TrainingError(f"shifts by {self.max_shift} px would leave the {most} {what}")
        weights, k = self.class_weights, self.network.num_classes
        if weights is not None and len(weights) != k:
            raise TrainingError(f"{len(weights)} class_weights for {k} classes")

    def to_dict(self) -> dict[str, Any]:
        known = asdict(self)
        if self.class_weights is None:  # as runs that are older than this setting
            del known["class_weights"]
        return known


def balanced_weights(labels: Int[np.ndarray, " n"], num_classes: int) -> tuple[float, ...]:
    """Weights by which all classes that occur weigh alike and the mean over the data is 1."""
    counts = np.bincount(labels, minlength=num_classes)
    present = np.count_nonzero(counts)
    return tuple(len(labels) / (present * n) if n else 0.0 for n in counts.tolist())


class Best(NamedTuple):
    """The parameters that were right on most images of those that choose the step."""

    params: Any
    step: Array  # int32
    correct: Array  # int32


class TrainState(NamedTuple):
    """Everything a resumed run needs; batch, shifts and learning rate follow from `step`."""

    step: Array  # int32
    params: Any
    opt_state: Any
    best: Best | tuple[()] = ()  # empty: nothing chooses the step


def optimizer(config: ClassifierConfig) -> optax.GradientTransformation:
    """AdamW with a cosine schedule over the whole run."""
    schedule = optax.cosine_decay_schedule(config.learning_rate, config.steps)
    return optax.adamw(schedule, weight_decay=config.weight_decay)


def init(config: ClassifierConfig) -> TrainState:
    """A fresh state."""
    params = MODULES[type(config.network)].init(config.network, pinned.key(config.seed))
    return TrainState(jnp.zeros((), jnp.int32), params, optimizer(config).init(params))


def build(config: ClassifierConfig, class_names: tuple[str, ...]) -> Classifier:
    """The classifier that is trained; raises as `classifiers.build`."""
    return MODULES[type(config.network)].build(config.network, class_names)


def shifted(
    images: Float[Array, "b h w c"], key: Array, config: ClassifierConfig
) -> Float[Array, "b h w c"]:
    """Each image shifted at random; rows and columns that come in are seen only if reflected."""
    most = config.max_shift
    if isinstance(config.network, CNNConfig):
        return random_shifts(images, key, most)
    height, width = images.shape[1:3]
    around = [(0, 0), (most, most), (most, most), (0, 0)]
    moved = random_shifts(jnp.pad(images, around, mode="reflect"), key, most)
    return moved[:, most : most + height, most : most + width]


def random_shifts(
    images: Float[Array, "b h w c"], key: Array, max_shift: int
) -> Float[Array, "b h w c"]:
    """Each image rolled by up to `max_shift` rows and columns; what wraps is outside the crop."""
    shifts = jax.random.randint(key, (len(images), 2), -max_shift, max_shift + 1, jnp.int32)
    return jax.vmap(lambda image, shift: jnp.roll(image, shift, (0, 1)))(images, shifts)


def train_step(
    config: ClassifierConfig,
    state: TrainState,
    images: Float[Array, "b h w c"],
    labels: Int[Array, " b"],
) -> tuple[TrainState, dict[str, Array]]:
    """One step of cross-entropy on images in [-1, 1]; its loss and the norm of the new params."""
    classifier = build(config, tuple(map(str, range(config.network.num_classes))))
    key = jax.random.fold_in(pinned.key(config.seed), state.step)
    moved = shifted(images, key, config)

    def loss(params: Params) -> Array:
        logits = classifier.logits(params, moved)
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
        weights = config.class_weights
        return jnp.mean(losses if weights is None else jnp.asarray(weights)[labels] * losses)

    value, gradient = jax.value_and_grad(loss)(state.params)
    updates, opt_state = optimizer(config).update(gradient, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    metrics = {"loss": value, "norm": optax.tree.norm(params)}
    return state._replace(step=state.step + 1, params=params, opt_state=opt_state), metrics


def identity(config: ClassifierConfig, dataset: Dataset) -> dict[str, Any]:
    """What decides whether two runs are the same, as JSON gives it back."""
    wanted = {**dataset.identity, "config": config.to_dict()}
    return json.loads(json.dumps(wanted))


def check_same(folder: Path, present: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Refuse to resume or to reuse another run.

    Raises:
        TrainingError: the folder's run differs; the message says in what.
    """
    differs = checkpoints.differences(present, wanted)
    if differs:
        raise TrainingError(
            f"{folder} holds a run with other {', '.join(differs)}; "
            "choose another --out or delete it"
        )


@pinned.settings()
def train(
    config: ClassifierConfig,
    dataset: Dataset,
    folder: Path,
    *,
    choosing: Dataset | None = None,
    checkpoint_steps: int = 500,
    devices: list[Any] | None = None,
) -> TrainState:
    """Train for `config.steps`, resuming from the last checkpoint in the folder (`only_writer`).

    Args:
        choosing: images of which `best` of the state gets most right, of one step in CHOOSE_STEPS
            and the last, the later of equals; None: `best` is empty.

    Raises:
        ResultError: the folder cannot be written.
        TrainingError: something else is in the folder, a checkpoint is damaged, or the loss or a
            parameter is no longer finite.
    """
    mesh = runtime.data_mesh(devices)
    batch, last = config.batch_size, config.steps
    if batch % mesh.size:
        raise TrainingError(f"a batch of {batch} does not divide over {mesh.size} devices")
    checkpoints.claim(folder, identity(config, dataset), check_same)
    run = jax.jit(partial(train_step, config), donate_argnums=0)
    classifier = build(config, dataset.class_names)

    def rows(step: int) -> Int[np.ndarray, " b"]:
        return batch_indices(len(dataset.labels), batch, step, config.seed)

    with checkpoints.manager(folder) as manager:
        fresh = init(config)
        if choosing is not None:
            fresh = fresh._replace(best=_best(fresh.params, 0, -1))
        state = checkpoints.restore(manager, runtime.replicate(mesh, fresh))
        first = int(state.step)
        with runtime.progress_bar("training", last * batch, first * batch, scale=True) as bar:
            steps = range(first, last)
            numbers, ahead = itertools.tee(map(rows, steps))
            batches = dataset.images.batches(ahead)
            for step, places, images in zip(steps, numbers, batches, strict=True):
                inputs = to_float(images), dataset.labels[places]
                state, metrics = run(state, *runtime.shard_batch(mesh, inputs))
                done = step + 1
                bar.update(batch)
                save = done % checkpoint_steps == 0 or done == last
                if save or done % CHECK_STEPS == 0:
                    _check_finite(metrics, state, done, manager)
                    bar.set_postfix(loss=f"{float(metrics['loss']):.3f}", refresh=False)
                if choosing is not None and (done % CHOOSE_STEPS == 0 or done == last):
                    correct, _ = accuracy(classifier, state.params, choosing, devices=devices)
                    assert isinstance(state.best, Best)
                    if correct >= int(state.best.correct):
                        best = runtime.replicate(mesh, _best(state.params, done, correct))
                        state = state._replace(best=best)
                if save:
                    manager.save(done, args=ocp.args.StandardSave(state))
    return state


def _best(params: Params, step: int, correct: int) -> Best:
    """With a copy of the parameters, whose own memory the next step takes."""
    return Best(jax.tree.map(jnp.copy, params), jnp.int32(step), jnp.int32(correct))


def _check_finite(
    metrics: Mapping[str, Array], state: TrainState, step: int, manager: ocp.CheckpointManager
) -> None:
    values = {name: float(value) for name, value in metrics.items()}
    if not checkpoints.finite(values, state):
        checkpoint = manager.latest_step()
        kept = f"the last good checkpoint is step {checkpoint} in {manager.directory}"
        raise TrainingError(
            f"the training diverged by step {step} ({values}); "
            f"{kept if checkpoint is not None else 'there is no checkpoint yet'}; "
            "a smaller learning rate may help"
        )


@partial(jax.jit, static_argnums=0)
def _predict(
    classifier: Classifier, params: Params, images: Float[Array, "b h w c"]
) -> Int[Array, " b"]:
    return jnp.argmax(classifier.logits(params, images), axis=-1)


@pinned.settings()
def accuracy(
    classifier: Classifier,
    params: Params,
    dataset: Dataset,
    batch_size: int = 500,
    *,
    devices: list[Any] | None = None,
) -> tuple[int, int]:
    """Correctly classified images and all images."""
    mesh = runtime.data_mesh(devices)
    params = runtime.replicate(mesh, params)

    def predict(images: UInt8[np.ndarray, "b h w c"]) -> Int[Array, " b"]:
        return _predict(classifier, params, runtime.shard_batch(mesh, to_float(images)))

    n, batch = len(dataset.labels), -(-batch_size // mesh.size) * mesh.size
    parts = [np.arange(start, start + batch) for start in range(0, n, batch)]
    batches = dataset.images.batches(np.minimum(part, n - 1) for part in parts)
    classes = np.concatenate([np.asarray(predict(images)) for images in batches])[:n]
    return int((classes == dataset.labels).sum()), n
