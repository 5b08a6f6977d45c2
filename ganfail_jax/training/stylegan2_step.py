"""One training step of StyleGAN2-ADA (Karras et al. 2020), as pure functions of a state.

A step runs four phases, each with its own latents: generator, path length (every `pl_interval`),
discriminator, R1 (every `r1_interval`). Everything random is a function of (seed, step), and
everything that changes is in `TrainState`, so that a resumed run repeats an uninterrupted one.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh
from jaxtyping import Array, Float

from ganfail_jax.errors import InputError
from ganfail_jax.images import as_viewed_in_training
from ganfail_jax.nn import stylegan2, stylegan2_discriminator
from ganfail_jax.nn.stylegan2 import StyleGAN2, StyleGAN2Config
from ganfail_jax.nn.stylegan2_discriminator import (
    StyleGAN2Discriminator,
    StyleGAN2DiscriminatorConfig,
)
from ganfail_jax.training.augment import augment, update_probability
from ganfail_jax.training.losses import (
    class_loss,
    discriminator_loss,
    generator_loss,
    path_lengths,
    r1_penalty,
)
from ganfail_jax.training.recipe import Recipe, RunConfig, draw_latents


@dataclass(frozen=True, kw_only=True)
class StyleGAN2Run(RunConfig):
    """A training run. Defaults: NVIDIA's `auto` recipe where the paper gives no number.

    Raises:
        InputError: the networks do not fit together, or the batch cannot be split as needed.
    """

    generator: StyleGAN2Config = field(default_factory=StyleGAN2Config)
    discriminator: StyleGAN2DiscriminatorConfig = field(
        default_factory=StyleGAN2DiscriminatorConfig
    )
    batch_size: int = 64
    learning_rate: float = 0.0025
    r1_gamma: float = 0.0032
    r1_interval: int = 16
    pl_weight: float = 2.0
    pl_decay: float = 0.01
    pl_interval: int = 4
    pl_batch_shrink: int = 2
    style_mixing: float = 0.9  # probability that a second latent takes over from a random layer on
    w_avg_decay: float = 0.995
    ema_kimg: float = 20.0
    ema_rampup: float = 0.05
    augment: bool = True  # ADA with the `bgc` pipe
    ada_target: float = 0.6
    ada_interval: int = 4
    ada_kimg: float = 500.0
    total_kimg: float = 25000.0
    warmup_kimg: float = 0.0  # first only D learns: for a generator that starts from weights
    decay_kimg: float = 0.0  # the learning rate falls linearly to 0 over the last so many kimg
    view_images: bool = False  # D sees 8-bit images of the generator, as it sees real ones
    class_weight: float = 0.0  # of the class loss; above 0 D judges classes, too (`class_head`)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("warmup_kimg", "decay_kimg", "class_weight"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InputError(f"{name} must be at least 0, not {getattr(self, name)}")
        if self.class_weight > 0 and not self.discriminator.class_head:
            raise InputError(
                f"class_weight {self.class_weight} needs a discriminator with class_head"
            )
        if self.batch_size < self.pl_batch_shrink:
            raise InputError(
                f"batch_size {self.batch_size} must be at least {self.pl_batch_shrink}: path "
                "length takes that part of a batch"
            )

    def with_batch_size(self, batch_size: int) -> "StyleGAN2Run":
        """For another batch, by NVIDIA's rules: gamma ~ 1 / batch, ema_kimg ~ batch."""
        ratio = batch_size / self.batch_size
        ema_kimg, r1_gamma = self.ema_kimg * ratio, self.r1_gamma / ratio
        return replace(self, batch_size=batch_size, ema_kimg=ema_kimg, r1_gamma=r1_gamma)


PRESETS: dict[str, StyleGAN2Run] = {
    # Small enough to train and analyse on two CPU cores; S has 640 dimensions. Without path length
    # and style mixing, as NVIDIA's `cifar` preset, also of 32 px.
    "mnist_c": StyleGAN2Run(
        generator=StyleGAN2Config(
            z_dim=128, w_dim=128, mapping_layers=2, channel_base=1024, channel_max=64
        ),
        discriminator=StyleGAN2DiscriminatorConfig(
            channel_base=1024, channel_max=128, mapping_layers=2, class_head=True
        ),
        batch_size=32,
        r1_gamma=0.0064,
        pl_weight=0.0,
        style_mixing=0.0,
        ema_kimg=10.0,
        augment=False,
        total_kimg=4000.0,
        view_images=True,
        class_weight=0.03,
    ),
    # NVIDIA's `auto` for 32 px on 4 GPUs, as the paper used.
    "paper32": StyleGAN2Run(
        generator=StyleGAN2Config(mapping_layers=2, channel_base=16384, conv_clamp=256.0),
        discriminator=StyleGAN2DiscriminatorConfig(channel_base=16384, conv_clamp=256.0),
    ),
}


class TrainState(NamedTuple):
    """Everything a resumed run needs; the data position and all keys follow from `step`."""

    step: Array  # int32
    generator: Any  # variables {"params", "buffers"}
    ema: Any  # the same tree, averaged: what is analysed
    discriminator: Any
    generator_opt: Any
    discriminator_opt: Any
    pl_mean: Array
    augment_p: Array
    real_signs: Array  # sum over the current ADA interval of sign(D(real)), and their number
    real_count: Array


class Phases(NamedTuple):
    """Compiled phases: (state, ...) -> (state, metrics). `step` runs those that are due."""

    generator: Callable[..., Any]
    path_length: Callable[..., Any]
    discriminator: Callable[..., Any]
    r1: Callable[..., Any]
    finish: Callable[..., Any]


def _adam(learning_rate: float, interval: int) -> optax.GradientTransformation:
    """Adam(0, 0.99), corrected for lazy regularisation (StyleGAN2, appendix B)."""
    ratio = interval / (interval + 1)
    return optax.adam(learning_rate * ratio, b1=0.0, b2=0.99**ratio, eps=1e-8)


def learning_rate_factor(config: StyleGAN2Run, step: Array) -> Array:
    """1, falling linearly to 0 over the last `decay_kimg` of the run."""
    remaining = config.total_kimg - step * (config.batch_size / 1000)
    return jnp.clip(remaining / max(config.decay_kimg, 1e-9), 0.0, 1.0)


def optimizers(
    config: StyleGAN2Run,
) -> tuple[optax.GradientTransformation, optax.GradientTransformation]:
    """Adam of the generator and of the discriminator."""
    rate = config.learning_rate
    return _adam(rate, config.pl_interval), _adam(rate, config.r1_interval)


_init_generator = jax.jit(stylegan2.init, static_argnums=0)
_init_discriminator = jax.jit(stylegan2_discriminator.init, static_argnums=0)


def init(config: StyleGAN2Run, generator: Any = None, discriminator: Any = None) -> TrainState:
    """A fresh state; the averaged generator starts as a copy.

    Args:
        generator: variables to start from instead of random ones.
        discriminator: likewise.
    """
    keys = jax.random.split(jax.random.fold_in(jax.random.key(config.seed), 0x1217))
    if generator is None:
        generator = _init_generator(config.generator, keys[0])
    if discriminator is None:
        discriminator = _init_discriminator(config.discriminator, keys[1])
    discriminator = discriminator["params"]
    generator_adam, discriminator_adam = optimizers(config)
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        generator=generator,
        ema=jax.tree.map(jnp.copy, generator),
        discriminator=discriminator,
        generator_opt=generator_adam.init(generator["params"]),
        discriminator_opt=discriminator_adam.init(discriminator),
        pl_mean=jnp.zeros(()),
        augment_p=jnp.zeros(()),
        real_signs=jnp.zeros(()),
        real_count=jnp.zeros(()),
    )


def mix_styles(
    ws: Float[Array, "b l w"], other: Float[Array, "b w"], keys: Array, probability: float
) -> Float[Array, "b l w"]:
    """With `probability`, `other` takes over from a random layer on (never from the first).

    Karras et al. 2019, sec. 3.1; one layer for the whole batch, as stylegan2-ada-pytorch.
    """
    num_ws = ws.shape[1]
    cutoff = jax.random.randint(keys[0], (), 1, num_ws)
    cutoff = jnp.where(jax.random.bernoulli(keys[1], probability), cutoff, num_ws)
    return jnp.where(jnp.arange(num_ws)[None, :, None] < cutoff, ws, other[:, None])


@cache
def phases(config: StyleGAN2Run, mesh: Mesh | None = None) -> Phases:
    """The phases of a training step for one configuration, compiled when first called.

    Args:
        mesh: its axis "data" splits the latents and all that follows from them.
    """
    network, critic = StyleGAN2(config.generator), StyleGAN2Discriminator(config.discriminator)
    generator_adam, discriminator_adam = optimizers(config)
    num_ws = config.generator.num_ws

    def draw(batch: int, key: Array) -> Array:
        return draw_latents(key, batch, config.generator.z_dim, mesh)

    def sample_ws(variables: Any, label: Array | None, batch: int, key: Array) -> Array:
        """w per layer [b, l, w], with style mixing."""
        keys = jax.random.split(key, 4)
        mapping = partial(network.apply, variables, method="mapping")
        ws = jnp.repeat(jnp.asarray(mapping(draw(batch, keys[0]), label))[:, None], num_ws, axis=1)
        if config.style_mixing > 0:
            other = jnp.asarray(mapping(draw(batch, keys[3]), label))
            ws = mix_styles(ws, other, keys[1:3], config.style_mixing)
        return ws

    def synthesize(variables: Any, ws: Array, key: Array) -> Array:
        styles = network.apply(variables, ws, method="styles_of_ws")
        images = network.apply(variables, styles, None, "random", key, method="synthesize")
        return jnp.asarray(images)

    def fake_images(variables: Any, ws: Array, key: Array) -> Array:
        images = synthesize(variables, ws, key)
        return as_viewed_in_training(images) if config.view_images else images

    def judge(
        params: Any, images: Array, label: Array | None, p: Array, key: Array
    ) -> tuple[Array, Array | None]:
        images = augment(images, key, p) if config.augment else images
        return critic.apply({"params": params}, images, label, method="judge")  # pyright: ignore

    def scaled(updates: Any, step: Array) -> Any:
        if not config.decay_kimg:
            return updates
        factor = learning_rate_factor(config, step)
        return jax.tree.map(lambda update: factor * update, updates)

    def keys_of(state: TrainState, phase: int) -> Array:
        key = jax.random.fold_in(jax.random.key(config.seed), state.step)
        return jax.random.split(jax.random.fold_in(key, phase), 4)

    def step_generator(state: TrainState, gradient: Any) -> TrainState:
        params, optimizer = state.generator["params"], state.generator_opt
        updates, optimizer = generator_adam.update(gradient, optimizer, params)
        params = optax.apply_updates(params, scaled(updates, state.step))
        return state._replace(
            generator={**state.generator, "params": params}, generator_opt=optimizer
        )

    def step_discriminator(state: TrainState, gradient: Any) -> TrainState:
        updates, optimizer = discriminator_adam.update(
            gradient, state.discriminator_opt, state.discriminator
        )
        params = optax.apply_updates(state.discriminator, scaled(updates, state.step))
        return state._replace(discriminator=params, discriminator_opt=optimizer)

    def generator_phase(state: TrainState, label: Array | None):
        keys, buffers = keys_of(state, 0), state.generator["buffers"]

        def loss(params: Any) -> tuple[Array, tuple[Array, Array]]:
            variables = {"params": params, "buffers": buffers}
            ws = sample_ws(variables, label, config.batch_size, keys[0])
            images = fake_images(variables, ws, keys[1])
            scores, classes = judge(state.discriminator, images, label, state.augment_p, keys[2])
            value = total = generator_loss(scores)
            if classes is not None:
                total += config.class_weight * class_loss(classes, label)
            return total, (value, jnp.mean(ws[:, 0], axis=0))

        gradient, (value, w_mean) = jax.grad(loss, has_aux=True)(state.generator["params"])
        w_avg = w_mean + config.w_avg_decay * (buffers["w_avg"] - w_mean)
        generator = {**state.generator, "buffers": {**buffers, "w_avg": w_avg}}
        return step_generator(state._replace(generator=generator), gradient), {"loss/g": value}

    def path_length_phase(state: TrainState, label: Array | None):
        keys, batch = keys_of(state, 1), config.batch_size // config.pl_batch_shrink
        label = None if label is None else label[:batch]

        def loss(params: Any) -> tuple[Array, Array]:
            variables = {**state.generator, "params": params}
            ws = sample_ws(variables, label, batch, keys[0])
            lengths = path_lengths(lambda ws: synthesize(variables, ws, keys[1]), ws, keys[2])
            mean = state.pl_mean + config.pl_decay * (jnp.mean(lengths) - state.pl_mean)
            penalty = jnp.mean(jnp.square(lengths - mean))
            return penalty * config.pl_weight * config.pl_interval, mean

        (_, mean), gradient = jax.value_and_grad(loss, has_aux=True)(state.generator["params"])
        state = step_generator(state._replace(pl_mean=mean), gradient)
        return state, {"path_length": mean}

    def discriminator_phase(state: TrainState, images: Array, label: Array | None):
        keys = keys_of(state, 2)
        ws = sample_ws(state.generator, label, config.batch_size, keys[0])
        fakes = fake_images(state.generator, ws, keys[1])

        def loss(params: Any) -> tuple[Array, tuple[Array, dict[str, Array]]]:
            real, classes = judge(params, images, label, state.augment_p, keys[2])
            fake, _ = judge(params, fakes, label, state.augment_p, keys[3])
            value = discriminator_loss(real, fake)
            metrics = {"loss/d": value, "logits/real": jnp.mean(real)}
            metrics |= {"logits/fake": jnp.mean(fake)}
            metrics |= {"logits/real_sign": jnp.mean(jnp.sign(real))}
            # Of real images alone: what G draws must not teach D what a class looks like.
            if classes is not None:
                metrics["loss/class"] = class_loss(classes, label)
                value += config.class_weight * metrics["loss/class"]
            return value, (jnp.sign(real), metrics)

        gradient, (signs, metrics) = jax.grad(loss, has_aux=True)(state.discriminator)
        state = step_discriminator(state, gradient)._replace(
            real_signs=state.real_signs + jnp.sum(signs),
            real_count=state.real_count + signs.size,
        )
        return state, metrics

    def r1_phase(state: TrainState, images: Array, label: Array | None):
        key = keys_of(state, 3)[0]

        def loss(params: Any) -> tuple[Array, Array]:
            score = lambda x: judge(params, x, label, state.augment_p, key)[0]  # noqa: E731
            penalty = r1_penalty(score, images)
            return penalty * (config.r1_gamma / 2 * config.r1_interval), penalty

        (_, penalty), gradient = jax.value_and_grad(loss, has_aux=True)(state.discriminator)
        return step_discriminator(state, gradient), {"r1": penalty}

    def finish(state: TrainState):
        step, shown = state.step + 1, state.step * config.batch_size  # before this batch, as NVIDIA
        horizon = jnp.minimum(config.ema_kimg * 1000, shown * config.ema_rampup)
        decay = 0.5 ** (config.batch_size / jnp.maximum(horizon, 1e-8))
        params = optax.incremental_update(state.generator["params"], state.ema["params"], 1 - decay)
        ema = {"params": params, "buffers": state.generator["buffers"]}
        state = state._replace(step=step, ema=ema)
        if not config.augment:
            return state
        due = step % config.ada_interval == 0
        updated = update_probability(
            state.augment_p,
            state.real_signs / jnp.maximum(state.real_count, 1),
            config.batch_size,
            config.ada_interval,
            config.ada_target,
            config.ada_kimg,
        )
        return state._replace(
            augment_p=jnp.where(due, updated, state.augment_p),
            real_signs=jnp.where(due, 0.0, state.real_signs),
            real_count=jnp.where(due, 0.0, state.real_count),
        )

    compiled = partial(jax.jit, donate_argnums=0)
    return Phases(
        compiled(generator_phase),
        compiled(path_length_phase),
        compiled(discriminator_phase),
        compiled(r1_phase),
        compiled(finish),
    )


def train_step(
    run: Phases,
    config: StyleGAN2Run,
    state: TrainState,
    step: int,
    images: Float[Array, "b h w c"],
    label: Float[Array, "b k"] | None,
) -> tuple[TrainState, dict[str, Array]]:
    """Run step number `step` (the host's copy of `state.step`) on real images in [-1, 1].

    The generated images take the labels of the real batch: the data set's own label distribution.
    """
    metrics: dict[str, Array] = {}
    if step * config.batch_size >= config.warmup_kimg * 1000:
        state, metrics = run.generator(state, label)
        if config.pl_weight > 0 and step % config.pl_interval == 0:
            state, more = run.path_length(state, label)
            metrics |= more
    state, more = run.discriminator(state, images, label)
    metrics |= more
    if step % config.r1_interval == 0:
        state, more = run.r1(state, images, label)
        metrics |= more
    return run.finish(state), metrics


def recipe(config: StyleGAN2Run, mesh: Mesh | None = None) -> Recipe:
    """How the loop trains a StyleGAN2."""
    return Recipe(
        kind="stylegan2",
        network=stylegan2,
        critic_network=stylegan2_discriminator,
        init=partial(init, config),
        step=partial(train_step, phases(config, mesh), config),
        snapshot=lambda state: (config.generator, state.ema),
        critic=lambda state: (config.discriminator, {"params": state.discriminator}),
        status=lambda state: {"augment_p": float(state.augment_p)},
    )
