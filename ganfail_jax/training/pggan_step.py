"""One training step of a progressively growing GAN (Karras et al. 2018), as pure functions.

Training starts at `first_resolution`. Every further resolution is faded in over `fade_kimg` and
then trained for `stable_kimg` (sec. 2, appendix A); which one it is follows from the step alone.
All layers are there from the start, so the state keeps its shape; those of later resolutions wait.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh
from jaxtyping import Array, Float

from ganfail_jax import pinned
from ganfail_jax.errors import InputError
from ganfail_jax.images import as_viewed_in_training
from ganfail_jax.nn import pggan, pggan_discriminator
from ganfail_jax.nn.pggan import PGGAN, PGGANConfig
from ganfail_jax.nn.pggan_discriminator import PGGANDiscriminator, PGGANDiscriminatorConfig
from ganfail_jax.training.losses import (
    class_loss,
    discriminator_loss,
    generator_loss,
    gradient_penalty,
    r1_penalty,
)
from ganfail_jax.training.recipe import Recipe, RunConfig, draw_latents


@dataclass(frozen=True, kw_only=True)
class PGGANRun(RunConfig):
    """A training run. Defaults: the paper's, and NVIDIA's code where the paper gives no number.

    Raises:
        InputError: the networks do not fit together, or a number makes no sense.
    """

    generator: PGGANConfig = field(default_factory=PGGANConfig)
    discriminator: PGGANDiscriminatorConfig = field(default_factory=PGGANDiscriminatorConfig)
    batch_size: int = 16
    learning_rate: float = 0.001
    loss: Literal["wgan_gp", "r1"] = "wgan_gp"  # r1: non-saturating with R1, as StyleGAN2
    gp_weight: float = 10.0  # wgan_gp only
    drift: float = 0.001  # wgan_gp only: keeps D(real) near 0
    r1_gamma: float = 10.0  # r1 only
    penalty_interval: int = 1  # steps from one penalty to the next, which weighs that much more
    class_weight: float = 1.0
    first_resolution: int = 4
    stable_kimg: float = 800.0
    fade_kimg: float = 800.0
    ema_kimg: float = 11.085  # the paper's 0.999 a step, for batches of 16
    total_kimg: float = 12000.0
    view_images: bool = False  # D sees 8-bit images of the generator, as it sees real ones

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.first_resolution not in self.generator.resolutions:
            listed = ", ".join(map(str, self.generator.resolutions))
            raise InputError(
                f"first_resolution must be one of {listed}, not {self.first_resolution}"
            )
        if not self.stable_kimg > 0 or not self.fade_kimg >= 0:
            given = f"{self.stable_kimg} and {self.fade_kimg}"
            raise InputError(f"stable_kimg must be above 0, fade_kimg at least 0, not {given}")
        if self.penalty_interval < 1:
            raise InputError(f"penalty_interval must be at least 1, not {self.penalty_interval}")


PRESETS: dict[str, PGGANRun] = {
    # Small enough for two CPU cores.
    "mnist_c": PGGANRun(
        generator=PGGANConfig(z_dim=64, channel_base=1024, channel_max=64),
        discriminator=PGGANDiscriminatorConfig(channel_base=768, channel_max=128),
        batch_size=32,
        learning_rate=0.002,
        loss="r1",
        r1_gamma=0.02,
        penalty_interval=8,
        stable_kimg=30.0,
        fade_kimg=30.0,
        ema_kimg=10.0,
        total_kimg=4000.0,
        view_images=True,
    ),
    "paper32": PGGANRun(),
}


class Stage(NamedTuple):
    """How far a network has grown."""

    resolution: int
    alpha: float  # weight of this resolution; below 1 it is being faded in


def stage(config: PGGANRun, step: int) -> Stage:
    """The stage at a step: stable, then fade-in and stable for every further resolution."""
    first = config.generator.resolutions.index(config.first_resolution)
    resolutions = config.generator.resolutions[first:]
    cycle = config.stable_kimg + config.fade_kimg
    number, within = divmod(step * config.batch_size / 1000, cycle)
    if number >= len(resolutions) - 1:
        return Stage(resolutions[-1], 1.0)
    if within < config.stable_kimg:
        return Stage(resolutions[int(number)], 1.0)
    alpha = (within - config.stable_kimg) / config.fade_kimg
    return Stage(resolutions[int(number) + 1], alpha)


class TrainState(NamedTuple):
    """Everything a resumed run needs; the stage, the data and all keys follow from `step`."""

    step: Array  # int32
    generator: Any  # variables {"params"} with a tRGB for every resolution
    ema: Any  # the same tree, averaged
    discriminator: Any  # parameters with a fRGB for every resolution
    generator_opt: Any
    discriminator_opt: Any


Stepped = tuple[TrainState, dict[str, Array]]  # and metrics


class Phases(NamedTuple):
    """Compiled phases of one stage: (state, alpha, ...) -> (state, metrics)."""

    discriminator: Callable[..., Any]
    penalised: Callable[..., Any]  # the same with the gradient penalty
    generator: Callable[..., Any]


def _adam(config: PGGANRun) -> optax.GradientTransformation:
    return optax.adam(config.learning_rate, b1=0.0, b2=0.99, eps=1e-8)


def _grown(init: Callable[[Any], Any], config: Any) -> Any:
    """The variables of a network and of all the smaller ones that it grows from."""
    union = {}
    for resolution in (4 * 2**i for i in range((config.resolution // 4).bit_length())):
        union |= init(replace(config, resolution=resolution))
    return union


@partial(jax.jit, static_argnums=0)
def _init(config: PGGANRun, key: Array) -> tuple[Any, Any]:
    keys = jax.random.split(key)
    generator = _grown(lambda config: pggan.init(config, keys[0])["params"], config.generator)
    critic = lambda config: pggan_discriminator.init(config, keys[1])["params"]  # noqa: E731
    return {"params": generator}, _grown(critic, config.discriminator)


def init(config: PGGANRun, generator: Any = None, discriminator: Any = None) -> TrainState:
    """A fresh state; the averaged generator starts as a copy.

    Args:
        generator: variables to start from instead of random ones; they have no smaller outputs.
        discriminator: likewise; it has no smaller inputs.

    Raises:
        InputError: one is given, but training would begin at a smaller resolution.
    """
    key = jax.random.fold_in(pinned.key(config.seed), 0x1217)
    fresh, critic = _init(config, key)
    given = generator is not None or discriminator is not None
    if given and config.first_resolution != config.generator.resolution:
        raise InputError(
            "weights to start from have no smaller outputs to grow from: give "
            f"--first_resolution={config.generator.resolution}"
        )
    if generator is not None:
        fresh = {"params": {**fresh["params"], **generator["params"]}}
    if discriminator is not None:
        critic = {**critic, **discriminator["params"]}
    adam = _adam(config)
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        generator=fresh,
        ema=jax.tree.map(jnp.copy, fresh),
        discriminator=critic,
        generator_opt=adam.init(fresh["params"]),
        discriminator_opt=adam.init(critic),
    )


def shrink(
    images: Float[Array, "b h w c"], resolution: int, alpha: Array | None
) -> Float[Array, "b r r c"]:
    """Real images as a network of this stage sees them: faded like the outputs (sec. 2)."""
    while images.shape[1] > resolution:
        images = pggan.downsample_mean(images)
    if alpha is None:
        return images
    smaller = pggan.upsample_nearest(pggan.downsample_mean(images))
    return smaller + alpha * (images - smaller)


class _Step(NamedTuple):
    """What the phases at one resolution compute; a method per phase, and what they share.

    The axis "data" of the mesh splits the latents and all that follows from them.
    """

    config: PGGANRun
    resolution: int
    fading: bool
    mesh: Mesh | None

    def generate(
        self, variables: Any, label: Array | None, key: Array, alpha: Array | None
    ) -> Array:
        config = self.config
        z = draw_latents(key, config.batch_size, config.generator.z_dim, self.mesh)
        z = z if label is None else jnp.concatenate([z, label], axis=-1)
        network = PGGAN(replace(config.generator, resolution=self.resolution))
        images = jnp.asarray(network.apply(variables, z, None, alpha))
        return as_viewed_in_training(images) if config.view_images else images

    def judge(self, params: Any, images: Array, alpha: Array | None) -> tuple[Array, Array]:
        """Scores and class logits."""
        critic = PGGANDiscriminator(replace(self.config.discriminator, resolution=self.resolution))
        return critic.apply({"params": params}, images, alpha)  # pyright: ignore[reportReturnType]

    def keys(self, state: TrainState, phase: int) -> Array:
        key = jax.random.fold_in(pinned.key(self.config.seed), state.step)
        return jax.random.split(jax.random.fold_in(key, phase))

    def adversarial(self, real: Array, fake: Array) -> Array:
        """The discriminator's loss of scores."""
        if self.config.loss == "r1":
            return discriminator_loss(real, fake)
        distance = jnp.mean(fake) - jnp.mean(real)
        return distance + self.config.drift * jnp.mean(jnp.square(real))

    def penalty(
        self, params: Any, real: Array, fake: Array, key: Array, alpha: Array | None
    ) -> Array:
        """The gradient penalty of the configured loss, weighted."""
        scores = lambda x: self.judge(params, x, alpha)[0]  # noqa: E731
        if self.config.loss == "r1":
            return self.config.r1_gamma / 2 * r1_penalty(scores, real)
        return self.config.gp_weight * gradient_penalty(scores, real, fake, key)

    def discriminator_phase(
        self, penalised: bool, state: TrainState, alpha: Array, images: Array, label: Array | None
    ) -> Stepped:
        config, keys = self.config, self.keys(state, 0)
        fade = alpha if self.fading else None
        images = shrink(images, self.resolution, fade)
        fakes = self.generate(state.generator, label, keys[0], fade)

        def loss(params: Any) -> tuple[Array, dict[str, Array]]:
            real, real_class = self.judge(params, images, fade)
            fake, fake_class = self.judge(params, fakes, fade)
            classes = class_loss(real_class, label) + class_loss(fake_class, label)
            value = self.adversarial(real, fake)
            metrics = {
                "loss/d": value,
                "loss/class": classes / 2,
                "logits/real": jnp.mean(real),
                "logits/fake": jnp.mean(fake),
            }
            value += config.class_weight * classes
            if penalised:
                metrics["penalty"] = self.penalty(params, images, fakes, keys[1], fade)
                value += config.penalty_interval * metrics["penalty"]
            return value, metrics

        gradient, metrics = jax.grad(loss, has_aux=True)(state.discriminator)
        updates, optimizer = _adam(config).update(
            gradient, state.discriminator_opt, state.discriminator
        )
        params = optax.apply_updates(state.discriminator, updates)
        return state._replace(discriminator=params, discriminator_opt=optimizer), metrics

    def generator_phase(self, state: TrainState, alpha: Array, label: Array | None) -> Stepped:
        config, keys = self.config, self.keys(state, 1)
        fade = alpha if self.fading else None

        def loss(params: Any) -> tuple[Array, Array]:
            fakes = self.generate({"params": params}, label, keys[0], fade)
            score, classes = self.judge(state.discriminator, fakes, fade)
            value = generator_loss(score) if config.loss == "r1" else -jnp.mean(score)
            return value + config.class_weight * class_loss(classes, label), value

        before = state.generator["params"]
        gradient, value = jax.grad(loss, has_aux=True)(before)
        updates, optimizer = _adam(config).update(gradient, state.generator_opt, before)
        params: Any = optax.apply_updates(before, updates)
        decay = 0.5 ** (config.batch_size / (config.ema_kimg * 1000))
        ema = optax.incremental_update(params, state.ema["params"], 1 - decay)
        state = state._replace(
            step=state.step + 1,
            generator={"params": params},
            ema={"params": ema},
            generator_opt=optimizer,
        )
        return state, {"loss/g": value}


@cache
def phases(config: PGGANRun, resolution: int, fading: bool, mesh: Mesh | None = None) -> Phases:
    """The phases of a step at one resolution, compiled when first called.

    Args:
        mesh: its axis "data" splits the latents and all that follows from them.
    """
    step, compiled = _Step(config, resolution, fading, mesh), partial(jax.jit, donate_argnums=0)
    return Phases(
        discriminator=compiled(partial(step.discriminator_phase, False)),
        penalised=compiled(partial(step.discriminator_phase, True)),
        generator=compiled(step.generator_phase),
    )


def train_step(
    config: PGGANRun,
    mesh: Mesh | None,
    state: TrainState,
    step: int,
    images: Float[Array, "b h w c"],
    label: Float[Array, "b k"] | None,
) -> tuple[TrainState, dict[str, Array]]:
    """Run step number `step` (the host's copy of `state.step`) on real images in [-1, 1].

    The generated images take the labels of the real batch. When a resolution comes in, the
    optimizers start afresh, as in NVIDIA's code.
    """
    now = stage(config, step)
    if step > 0 and now.resolution != stage(config, step - 1).resolution:
        adam = _adam(config)
        state = state._replace(
            generator_opt=adam.init(state.generator["params"]),
            discriminator_opt=adam.init(state.discriminator),
        )
    run, alpha = phases(config, now.resolution, now.alpha < 1, mesh), jnp.float32(now.alpha)
    critic = run.penalised if step % config.penalty_interval == 0 else run.discriminator
    state, metrics = critic(state, alpha, images, label)
    state, more = run.generator(state, alpha, label)
    return state, {**metrics, **more}


def _reached(
    config: PGGANRun, state: TrainState, network: Any, full: Any, params: Any
) -> tuple[Any, Any]:
    """A network at the resolution that dominates the image at this step."""
    now = stage(config, int(state.step))
    resolution = now.resolution if now.alpha >= 0.5 else now.resolution // 2
    reached = replace(full, resolution=resolution)
    template = jax.eval_shape(partial(network.init, reached), pinned.key(0))
    return reached, {"params": {name: params[name] for name in template["params"]}}


def snapshot(config: PGGANRun, state: TrainState) -> tuple[PGGANConfig, Any]:
    """The averaged generator as far as it has grown."""
    return _reached(config, state, pggan, config.generator, state.ema["params"])


def critic(config: PGGANRun, state: TrainState) -> tuple[PGGANDiscriminatorConfig, Any]:
    """The discriminator as far as it has grown."""
    return _reached(config, state, pggan_discriminator, config.discriminator, state.discriminator)


def recipe(config: PGGANRun, mesh: Mesh | None = None) -> Recipe:
    """How the loop trains a PGGAN."""
    return Recipe(
        kind="pggan",
        network=pggan,
        critic_network=pggan_discriminator,
        init=partial(init, config),
        step=partial(train_step, config, mesh),
        snapshot=partial(snapshot, config),
        critic=partial(critic, config),
        status=lambda state: stage(config, int(state.step))._asdict(),
    )
