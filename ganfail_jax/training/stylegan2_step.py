"""One training step of StyleGAN2-ADA (Karras et al. 2020), as pure functions of a state.

A step runs four phases, each with its own latents: generator, path length (every `pl_interval`),
discriminator, R1 (every `r1_interval`). Everything random is a function of (seed, step), and
everything that changes is in `TrainState`, so that a resumed run repeats an uninterrupted one.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh
from jaxtyping import Array, Float

from ganfail_jax import pinned
from ganfail_jax.images import as_viewed_in_training
from ganfail_jax.nn import stylegan2, stylegan2_discriminator
from ganfail_jax.nn.stylegan2 import StyleGAN2
from ganfail_jax.nn.stylegan2_discriminator import StyleGAN2Discriminator
from ganfail_jax.training.augment import augment, update_probability
from ganfail_jax.training.losses import (
    class_loss,
    discriminator_loss,
    generator_loss,
    path_lengths,
    r1_penalty,
)
from ganfail_jax.training.recipe import Recipe, draw_latents
from ganfail_jax.training.stylegan2_run import StyleGAN2Run


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


Stepped = tuple[TrainState, dict[str, Array]]  # and metrics


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
    keys = jax.random.split(jax.random.fold_in(pinned.key(config.seed), 0x1217))
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
    cutoff = jax.random.randint(keys[0], (), 1, num_ws, jnp.int32)
    cutoff = jnp.where(jax.random.bernoulli(keys[1], probability), cutoff, num_ws)
    return jnp.where(jnp.arange(num_ws)[None, :, None] < cutoff, ws, other[:, None])


class _Step(NamedTuple):
    """What the phases compute, for one configuration; a method per phase, and what they share.

    The axis "data" of the mesh splits the latents and all that follows from them.
    """

    config: StyleGAN2Run
    mesh: Mesh | None

    def sample_ws(
        self, variables: Any, label: Array | None, batch: int, key: Array
    ) -> Float[Array, "b l w"]:
        """w per layer, with style mixing."""
        config, network = self.config, StyleGAN2(self.config.generator)
        keys = jax.random.split(key, 4)

        def draw(key: Array) -> Array:
            z = draw_latents(key, batch, config.generator.z_dim, self.mesh)
            return jnp.asarray(network.apply(variables, z, label, method="mapping"))

        ws = jnp.repeat(draw(keys[0])[:, None], config.generator.num_ws, axis=1)
        if config.style_mixing > 0:
            ws = mix_styles(ws, draw(keys[3]), keys[1:3], config.style_mixing)
        return ws

    def raw_images(self, variables: Any, ws: Array, key: Array) -> Array:
        network = StyleGAN2(self.config.generator)
        styles = network.apply(variables, ws, method="styles_of_ws")
        images = network.apply(variables, styles, None, "random", key, method="synthesize")
        return jnp.asarray(images)

    def fake_images(self, variables: Any, ws: Array, key: Array) -> Array:
        images = self.raw_images(variables, ws, key)
        return as_viewed_in_training(images) if self.config.view_images else images

    def judge(
        self, params: Any, images: Array, label: Array | None, p: Array, key: Array
    ) -> tuple[Array, Array | None]:
        """Scores, and class logits where the discriminator has a class head."""
        images = augment(images, key, p) if self.config.augment else images
        critic = StyleGAN2Discriminator(self.config.discriminator)
        return critic.apply({"params": params}, images, label, method="judge")  # pyright: ignore

    def scaled(self, updates: Any, step: Array) -> Any:
        """By the falling learning rate."""
        if not self.config.decay_kimg:
            return updates
        factor = learning_rate_factor(self.config, step)
        return jax.tree.map(lambda update: factor * update, updates)

    def keys(self, state: TrainState, phase: int) -> Array:
        key = jax.random.fold_in(pinned.key(self.config.seed), state.step)
        return jax.random.split(jax.random.fold_in(key, phase), 4)

    def update_generator(self, state: TrainState, gradient: Any) -> TrainState:
        params, optimizer = state.generator["params"], state.generator_opt
        updates, optimizer = optimizers(self.config)[0].update(gradient, optimizer, params)
        params = optax.apply_updates(params, self.scaled(updates, state.step))
        return state._replace(
            generator={**state.generator, "params": params}, generator_opt=optimizer
        )

    def update_discriminator(self, state: TrainState, gradient: Any) -> TrainState:
        updates, optimizer = optimizers(self.config)[1].update(
            gradient, state.discriminator_opt, state.discriminator
        )
        params = optax.apply_updates(state.discriminator, self.scaled(updates, state.step))
        return state._replace(discriminator=params, discriminator_opt=optimizer)

    def generator_phase(self, state: TrainState, label: Array | None) -> Stepped:
        config, buffers = self.config, state.generator["buffers"]
        keys = self.keys(state, 0)

        def loss(params: Any) -> tuple[Array, tuple[Array, Array]]:
            variables = {"params": params, "buffers": buffers}
            ws = self.sample_ws(variables, label, config.batch_size, keys[0])
            images = self.fake_images(variables, ws, keys[1])
            scores, classes = self.judge(
                state.discriminator, images, label, state.augment_p, keys[2]
            )
            value = total = generator_loss(scores)
            if classes is not None:
                total += config.class_weight * class_loss(classes, label)
            return total, (value, jnp.mean(ws[:, 0], axis=0))

        gradient, (value, w_mean) = jax.grad(loss, has_aux=True)(state.generator["params"])
        w_avg = w_mean + config.w_avg_decay * (buffers["w_avg"] - w_mean)
        generator = {**state.generator, "buffers": {**buffers, "w_avg": w_avg}}
        state = state._replace(generator=generator)
        return self.update_generator(state, gradient), {"loss/g": value}

    def path_length_phase(self, state: TrainState, label: Array | None) -> Stepped:
        config, keys = self.config, self.keys(state, 1)
        batch = config.batch_size // config.pl_batch_shrink
        label = None if label is None else label[:batch]

        def loss(params: Any) -> tuple[Array, Array]:
            variables = {**state.generator, "params": params}
            ws = self.sample_ws(variables, label, batch, keys[0])
            lengths = path_lengths(lambda ws: self.raw_images(variables, ws, keys[1]), ws, keys[2])
            mean = state.pl_mean + config.pl_decay * (jnp.mean(lengths) - state.pl_mean)
            penalty = jnp.mean(jnp.square(lengths - mean))
            return penalty * config.pl_weight * config.pl_interval, mean

        (_, mean), gradient = jax.value_and_grad(loss, has_aux=True)(state.generator["params"])
        state = self.update_generator(state._replace(pl_mean=mean), gradient)
        return state, {"path_length": mean}

    def discriminator_phase(self, state: TrainState, images: Array, label: Array | None) -> Stepped:
        config, keys = self.config, self.keys(state, 2)
        ws = self.sample_ws(state.generator, label, config.batch_size, keys[0])
        fakes = self.fake_images(state.generator, ws, keys[1])

        def loss(params: Any) -> tuple[Array, tuple[Array, dict[str, Array]]]:
            real, classes = self.judge(params, images, label, state.augment_p, keys[2])
            fake, _ = self.judge(params, fakes, label, state.augment_p, keys[3])
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
        state = self.update_discriminator(state, gradient)._replace(
            real_signs=state.real_signs + jnp.sum(signs),
            real_count=state.real_count + signs.size,
        )
        return state, metrics

    def r1_phase(self, state: TrainState, images: Array, label: Array | None) -> Stepped:
        config, key = self.config, self.keys(state, 3)[0]

        def loss(params: Any) -> tuple[Array, Array]:
            score = lambda x: self.judge(params, x, label, state.augment_p, key)[0]  # noqa: E731
            penalty = r1_penalty(score, images)
            return penalty * (config.r1_gamma / 2 * config.r1_interval), penalty

        (_, penalty), gradient = jax.value_and_grad(loss, has_aux=True)(state.discriminator)
        return self.update_discriminator(state, gradient), {"r1": penalty}

    def finish(self, state: TrainState) -> TrainState:
        """Average the generator; adapt the probability of augmentation where that is due."""
        config, step = self.config, state.step + 1
        seen = state.step * config.batch_size  # before this batch, as NVIDIA
        horizon = jnp.minimum(config.ema_kimg * 1000, seen * config.ema_rampup)
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


@cache
def phases(config: StyleGAN2Run, mesh: Mesh | None = None) -> Phases:
    """The phases of a training step for one configuration, compiled when first called.

    Args:
        mesh: its axis "data" splits the latents and all that follows from them.
    """
    step, compiled = _Step(config, mesh), partial(jax.jit, donate_argnums=0)
    return Phases(
        generator=compiled(step.generator_phase),
        path_length=compiled(step.path_length_phase),
        discriminator=compiled(step.discriminator_phase),
        r1=compiled(step.r1_phase),
        finish=compiled(step.finish),
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
