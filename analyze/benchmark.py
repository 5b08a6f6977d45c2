"""How fast are the passes that analyses and training are made of, and what is the floor?

    python -m analyze.benchmark

Every pass is given as images per second, and as a share of the floating point rate that a large
float32 matrix product reaches on the same devices: the operations are those that XLA counts. A pass
that is timed alone says little on a busy machine; compare figures of one run only.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags

from analyze import flags as common
from ganfail_jax import results, runtime
from ganfail_jax.analysis import ablation, ranking, rates
from ganfail_jax.analysis.outputs import Models, logits_of, sample_styles
from ganfail_jax.errors import InputError
from ganfail_jax.metrics import networks
from ganfail_jax.metrics.features import Features
from ganfail_jax.tally import CHUNK, compile_counter
from ganfail_jax.training import pggan_step, stylegan2_step
from ganfail_jax.training.recipe import RunConfig

FLAGS = flags.FLAGS
common.define_dataset()
common.define_models()
common.define_noise("random", common.POPULATION)
common.define_batch_size(250)
common.define_run()
flags.DEFINE_bool("training", True, "Measure training steps too (compiles for about a minute).")
text = "Measure whole commands too, in processes of their own (a TPU serves one process alone)."
flags.DEFINE_bool("commands", True, text)
flags.DEFINE_string("inception_weights", None, "File of Inception's weights, to measure it too.")

ROUNDS = 5
COUNTED = 16  # chunks per device that are counted at a time
MATMUL = 2048  # rows and columns of the product that measures the floor
INCEPTION_BATCH = 16
REPOSITORY = Path(__file__).parents[1]
TABLE = "benchmark.md"
HELP = 1  # absl's exit status after --help


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


def style_passes(models: Models, batch: int, floor: float) -> Iterator[Pass]:
    """Generator and classifier over a batch of S vectors, and the gradient by the styles."""
    sample = jax.jit(lambda i: sample_styles(models, 0, i, 1.0))
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


def counting_pass(models: Models, floor: float) -> Pass:
    """Counting the activations of the early layers, as `analyze.rates` does."""
    generator, mesh = models.generator, runtime.data_mesh()
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
    renderer: Any = ablation.renderer(generator, 0)
    compiled = renderer.lower(params, indices, edits).compile()
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


def made_up_batch(config: RunConfig) -> tuple[jax.Array, jax.Array]:
    """Random images and labels for one step."""
    generator, n = config.generator, config.batch_size
    shape = (n, generator.resolution, generator.resolution, generator.img_channels)
    images = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    label = np.eye(generator.num_classes, dtype=np.float32)[np.arange(n) % generator.num_classes]
    return jnp.asarray(images), jnp.asarray(label)


def stylegan2_pass(floor: float) -> Pass:
    """A training step of the preset `mnist_c`."""
    config = stylegan2_step.PRESETS["mnist_c"]
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


def command_times() -> Iterator[dict[str, Any]]:
    """`analyze.rank` in processes of their own: its help, a first run, one with another seed.

    Raises:
        InputError: one of them failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"GANFAIL_CACHE": f"{folder}/cache"}
        environment.pop("JAX_COMPILATION_CACHE_DIR", None)  # it may hold their programs already
        for name, arguments in (
            ("analyze.rank --help", ["--help"]),
            ("analyze.rank, nothing compiled yet", [f"--out={folder}/first"]),
            ("analyze.rank, another seed", ["--seed=1", f"--out={folder}/second"]),
        ):
            command = [sys.executable, "-m", "analyze.rank", *arguments]
            before, start = os.times(), time.perf_counter()
            done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True)
            wall, after = time.perf_counter() - start, os.times()
            if done.returncode not in (0, HELP):
                raise InputError(f"{' '.join(command)} failed: {done.stderr.decode()[-200:]}")
            cpu = sum(after[2:4]) - sum(before[2:4])
            yield {"command": name, "seconds": wall, "cpu_seconds": cpu}


def lines(floor: float, passes: list[Pass], commands: list[dict[str, Any]]) -> Iterator[str]:
    """The tables in Markdown."""
    yield f"| pass | images per second | MFLOP per image | share of {floor / 1e9:.0f} GFLOP/s |"
    yield "|---|---|---|---|"
    for each in passes:
        numbers = f"{each.images_per_s:,.0f} | {each.mflop_per_image:,.0f} | {each.of_matmul:.0%}"
        yield f"| {each.name} | {numbers} |"
    if commands:
        yield ""
        yield "| command | seconds | CPU seconds |"
        yield "|---|---|---|"
        for row in commands:
            yield f"| {row['command']} | {row['seconds']:.1f} | {row['cpu_seconds']:.1f} |"


def measure_passes(models: Models, inception: Features | None, floor: float) -> Iterator[Pass]:
    """One after the other, so that each can be told when it is done."""
    yield from style_passes(models, FLAGS.batch_size, floor)
    yield counting_pass(models, floor)
    yield ablation_pass(models, FLAGS.batch_size, floor)
    if inception is not None:
        yield inception_pass(inception, floor)
    if FLAGS.training:
        jax.config.update("jax_default_matmul_precision", None)  # as in training
        yield stylegan2_pass(floor)
        yield pggan_pass(floor)


def main() -> None:
    print("measuring", flush=True)
    (models,), identity = common.load_models()
    inception = networks.load_if_any("inception", FLAGS.inception_weights)
    folder = common.out_folder("benchmark", time.strftime("%Y%m%d-%H%M%S"))
    if (results.writable_folder(folder) / results.SUMMARY).exists():
        raise InputError(f"{folder} already holds a result; choose another --out")
    floor, passes = matmul_rate(), []
    for each in measure_passes(models, inception, floor):
        print(f"{each.name}: {each.images_per_s:,.0f} images per second", flush=True)
        passes.append(each)
    commands = list(command_times()) if FLAGS.commands else []
    content = {
        "matmul_gflops": floor / 1e9,
        "passes": [each._asdict() for each in passes],
        "commands": commands,
        "gradient_over_forward": passes[0].images_per_s / passes[1].images_per_s,
    }
    table = "\n".join(lines(floor, passes, commands))
    print(f"\n{table}\n")
    print(f"a style gradient costs {content['gradient_over_forward']:.2f} forward passes")
    results.save(folder, content, results.provenance(identity), {})
    with results.replace_file(folder / TABLE) as new:
        new.write_text(f"{table}\n")
    print(f"results in {folder}")
    for name in (results.SUMMARY, TABLE):
        print(f"  {folder / name}")


if __name__ == "__main__":
    common.run(main)
