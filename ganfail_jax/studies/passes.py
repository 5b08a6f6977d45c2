"""Images per second of the passes that analyses and training are made of, and the floor.

The floor is the floating point rate that a large float32 matrix product reaches on the same
devices; the operations of a pass are those that XLA counts.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from ganfail_jax import runtime
from ganfail_jax.analysis import ablation, ranking, rates
from ganfail_jax.analysis.outputs import Models, logits_of, sample_styles
from ganfail_jax.latents import renderer
from ganfail_jax.metrics.features import Features
from ganfail_jax.tally import CHUNK, compile_counter
from ganfail_jax.training import pggan_step, stylegan2_run, stylegan2_step
from ganfail_jax.training.recipe import RunConfig

ROUNDS = 5
COUNTED = 16  # chunks per device that are counted at a time
MATMUL = 2048  # rows and columns of the product that measures the floor
INCEPTION_BATCH = 16


class Pass(NamedTuple):
    """One row of the table."""

    name: str
    images_per_s: float
    mflop_per_image: float  # as XLA counts them
    of_matmul: float  # share of the matrix-product rate

    @classmethod
    def of(cls, name: str, images_per_s: float, flop: float, floor: float) -> "Pass":
        """From operations per image and the matrix-product rate, both in FLOP."""
        return cls(name, images_per_s, flop / 1e6, images_per_s * flop / floor)


def seconds(function: Callable[..., Any], *args: Any) -> float:
    """Median time of a compiled call, after one to warm up."""
    jax.block_until_ready(function(*args))
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        jax.block_until_ready(function(*args))
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def matmul_rate() -> float:
    """Floating point operations per second of a large float32 matrix product."""
    x = jnp.ones((MATMUL, MATMUL))
    return 2 * MATMUL**3 / seconds(jax.jit(jnp.matmul), x, x)


def flops(compiled: Any) -> float:
    """What XLA counts for one call."""
    return float(compiled.cost_analysis()["flops"])


def style_passes(
    models: Models, batch: int, floor: float, *, seed: int = 0, truncation_psi: float = 1.0
) -> Iterator[Pass]:
    """Generator and classifier over a batch of S vectors, and the gradient by the styles."""
    sample = jax.jit(lambda i: sample_styles(models, seed, i, truncation_psi))
    styles, labels, noise_keys = sample(jnp.arange(batch))

    def forward(params: Any, styles: jax.Array, keys: Any) -> jax.Array:
        return logits_of(models.with_params(params), styles, keys)

    def gradient(params: Any, styles: jax.Array, keys: Any) -> jax.Array:
        here = models.with_params(params)
        return ranking.style_gradients(here, styles, labels, noise_keys=keys)[0]

    args = (models.params, styles, noise_keys)
    for name, function in (("generator and classifier", forward), ("style gradient", gradient)):
        compiled = jax.jit(function).lower(*args).compile()
        yield Pass.of(name, batch / seconds(compiled, *args), flops(compiled) / batch, floor)


def counting_pass(models: Models, mesh: Mesh, floor: float) -> Pass:
    """Counting the activations of the early layers, as `analyze.rates` does."""
    generator = models.generator
    count = rates.counter(generator, rates.early_layers(generator.layers))
    indices = jnp.arange(CHUNK)
    given = models.generator_params, np.uint32(0)
    work = flops(jax.jit(count).lower(given, indices, indices >= 0).compile())
    counter, given = compile_counter(count, mesh), runtime.replicate(mesh, given)
    size = COUNTED * CHUNK * mesh.size
    args = (given, counter.zeros(given), np.int32(size), np.int32(0), np.int32(COUNTED))
    rate = size / seconds(counter.advance, *args)
    return Pass.of("counting, early layers", rate, work / CHUNK, floor)


def ablation_pass(models: Models, batch: int, floor: float) -> Pass:
    """Images without half of the activated neurons of the early layers."""
    generator, params = models.generator, models.generator_params
    layers = rates.early_layers(generator.layers)
    shapes = {layer: (generator.layers[layer].resolution,) * 2 for layer in layers}
    counts = {
        layer: np.arange(h * w * generator.layers[layer].channels).reshape(h, w, -1) % 2
        for layer, (h, w) in shapes.items()
    }
    half = rates.Rates(counts, 1)  # every other neuron never fires
    indices = jnp.arange(batch)
    keys = ablation.ablation_keys(0, indices)
    edits = ablation.ablation(ablation.Choice("LR", 0.3), half, layers, keys)
    render: Any = renderer(generator, 0)
    compiled = render.lower(params, indices, edits).compile()
    rate = batch / seconds(compiled, params, indices, edits)
    return Pass.of("ablation, early layers", rate, flops(compiled) / batch, floor)


def inception_pass(features: Features, floor: float) -> Pass:
    """Inception's features, as `analyze.evaluate` takes them."""
    batch = INCEPTION_BATCH * jax.device_count()
    images = np.zeros((batch, 32, 32, 1), np.uint8)
    compiled = jax.jit(features.extract).lower(images).compile()
    rate = batch / seconds(features.extract, images)
    return Pass.of("Inception features", rate, flops(compiled) / batch, floor)


def phase_flops(phase: Any, *args: Any) -> float:
    """Of a compiled phase of a training step."""
    return flops(phase.lower(*args).compile())


def cycle_rate(step: Callable[..., Any], state: Any, first: int, cycle: int, *batch: Any) -> float:
    """Steps per second over one cycle of lazy regularisation, from step `first` on."""
    for number in (first, first + 1):  # with the penalty and without: compiled before the clock
        state, _ = step(state, number, *batch)
    jax.block_until_ready(state)
    start = time.perf_counter()
    for number in range(first, first + cycle):
        state, _ = step(state, number, *batch)
    jax.block_until_ready(state)
    return cycle / (time.perf_counter() - start)


def training_passes(floor: float) -> Iterator[Pass]:
    """A step of either GAN, in the precision of matrix products in which they are trained."""
    for measure in (stylegan2_pass, pggan_pass):
        with jax.default_matmul_precision(None):
            measured = measure(floor)
        yield measured


def made_up_batch(config: RunConfig) -> tuple[jax.Array, jax.Array]:
    """Random images and labels for one step."""
    generator, n = config.generator, config.batch_size
    shape = (n, generator.resolution, generator.resolution, generator.img_channels)
    images = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    label = np.eye(generator.num_classes, dtype=np.float32)[np.arange(n) % generator.num_classes]
    return jnp.asarray(images), jnp.asarray(label)


def stylegan2_pass(floor: float) -> Pass:
    """A training step of the preset `mnist_c`."""
    config = stylegan2_run.PRESETS["mnist_c"]
    images, label = made_up_batch(config)
    run, state = stylegan2_step.phases(config), stylegan2_step.init(config)
    work = phase_flops(run.generator, state, label)
    work += phase_flops(run.discriminator, state, images, label)
    work += phase_flops(run.r1, state, images, label) / config.r1_interval
    step = stylegan2_step.recipe(config).step
    rate = cycle_rate(step, state, 0, config.r1_interval, images, label)
    batch = config.batch_size
    return Pass.of("training step, StyleGAN2", rate * batch, work / batch, floor)


def pggan_pass(floor: float) -> Pass:
    """A training step of the preset `mnist_c`, fully grown."""
    config = replace(pggan_step.PRESETS["mnist_c"], first_resolution=32)
    images, label = made_up_batch(config)
    state, alpha = pggan_step.init(config), jnp.float32(1)
    run, share = pggan_step.phases(config, 32, False), 1 / config.penalty_interval
    given = state, alpha, images, label
    work = phase_flops(run.generator, state, alpha, label)
    work += share * phase_flops(run.penalised, *given)
    work += (1 - share) * phase_flops(run.discriminator, *given)
    step = pggan_step.recipe(config).step
    rate = cycle_rate(step, state, 0, config.penalty_interval, images, label)
    batch = config.batch_size
    return Pass.of("training step, PGGAN", rate * batch, work / batch, floor)
