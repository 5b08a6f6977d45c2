"""How fast are the passes that analyses and training are made of, and what is the floor?

python -m analyze.benchmark
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags

from analyze import flags as common
from ganfail_jax import results, runtime
from ganfail_jax.analysis import ranking, rates
from ganfail_jax.analysis.outputs import Models, logits_of, sample_styles
from ganfail_jax.errors import InputError
from ganfail_jax.tally import CHUNK, compile_counter
from ganfail_jax.training import stylegan2_step

FLAGS = flags.FLAGS
common.define_dataset()
common.define_models()
common.define_noise("random", common.POPULATION)
common.define_batch_size(250)
common.define_run()
flags.DEFINE_bool("training", True, "Measure a training step too (compiles for about a minute).")

ROUNDS = 5
COUNTED = 16  # chunks per device that are counted at a time
MATMUL = 2048  # rows and columns of the product that measures the floor


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
    analysis = compiled.cost_analysis()
    return float(analysis["flops"])


def passes(models: Models, batch: int) -> dict[str, Any]:
    """The compiled passes over a batch of S vectors, by name."""
    sample = jax.jit(lambda i: sample_styles(models, 0, i, 1.0))
    styles, labels, noise_keys = sample(jnp.arange(batch))

    def forward(params: Any, styles: jax.Array, keys: Any) -> jax.Array:
        return logits_of(models.with_params(params), styles, keys)

    def gradient(params: Any, styles: jax.Array, keys: Any) -> jax.Array:
        here = models.with_params(params)
        return ranking.style_gradients(here, styles, labels, noise_keys=keys)[0]

    args = (models.params, styles, noise_keys)
    named = {"forward": forward, "style gradient": gradient}
    return {name: (jax.jit(f).lower(*args).compile(), args) for name, f in named.items()}


def counting(models: Models) -> tuple[float, float]:
    """Counting activations of the early layers: images per second, operations per image."""
    generator, mesh = models.generator, runtime.data_mesh()
    count = rates.counter(generator, rates.early_layers(generator.layers))
    indices = jnp.arange(CHUNK)
    given = models.generator_params, np.uint32(0)
    work = flops(jax.jit(count).lower(given, indices, indices >= 0).compile())
    counter, given = compile_counter(count, mesh), runtime.replicate(mesh, given)
    size = COUNTED * CHUNK * mesh.size
    args = (given, counter.zeros(given), np.int32(size), np.int32(0), np.int32(COUNTED))
    return size / seconds(counter.advance, *args), work / CHUNK


def training_rate(config: stylegan2_step.StyleGAN2Run) -> float:
    """Images per second over one whole cycle of lazy regularisation."""
    shape = (config.batch_size, config.generator.resolution, config.generator.resolution, 1)
    images = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, shape), jnp.float32)
    label = jax.nn.one_hot(jnp.arange(config.batch_size) % 10, config.generator.num_classes)
    run, state = stylegan2_step.phases(config), stylegan2_step.init(config)
    for step in (0, 1):
        state, _ = stylegan2_step.train_step(run, config, state, step, images, label)
    jax.block_until_ready(state)
    start = time.perf_counter()
    for step in range(config.r1_interval):
        state, _ = stylegan2_step.train_step(run, config, state, step, images, label)
    jax.block_until_ready(state)
    return config.r1_interval * config.batch_size / (time.perf_counter() - start)


def main() -> None:
    print("measuring", flush=True)
    (models,), identity = common.load_models()
    folder = common.out_folder("benchmark", time.strftime("%Y%m%d-%H%M%S"))
    if (results.writable_folder(folder) / results.SUMMARY).exists():
        raise InputError(f"{folder} already holds a result; choose another --out")
    floor = matmul_rate()
    print(f"float32 matrix product: {floor / 1e9:.0f} GFLOP/s")
    content: dict[str, Any] = {"matmul_gflops": floor / 1e9}
    for name, (compiled, args) in passes(models, FLAGS.batch_size).items():
        rate = FLAGS.batch_size / seconds(compiled, *args)
        work = flops(compiled) / FLAGS.batch_size
        share = rate * work / floor
        content[name] = {"images_per_s": rate, "mflop_per_image": work / 1e6, "of_matmul": share}
        print(f"{name}: {rate:,.0f} img/s, {work / 1e6:.0f} MFLOP each, {share:.0%} of that rate")
    rate, work = counting(models)
    share = rate * work / floor
    content["counting"] = {"images_per_s": rate, "mflop_per_image": work / 1e6, "of_matmul": share}
    print(
        f"counting activations of the early layers: {rate:,.0f} img/s, {work / 1e6:.0f} MFLOP each"
    )
    ratio = content["forward"]["images_per_s"] / content["style gradient"]["images_per_s"]
    content["gradient_over_forward"] = ratio
    print(f"a style gradient costs {ratio:.2f} forward passes")
    if FLAGS.training:
        content["training_images_per_s"] = training_rate(stylegan2_step.PRESETS["mnist_c"])
        print(f"training, preset mnist_c: {content['training_images_per_s']:,.0f} img/s")
    results.save(folder, content, results.provenance(identity), {})
    print(f"  {folder / results.SUMMARY}")


if __name__ == "__main__":
    common.run(main)
