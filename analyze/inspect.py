"""What does a file of generator weights hold? Nothing in it is run.

python -m analyze.inspect --generator=FILE --sheet=SAMPLES.png
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags

from analyze import flags as common
from ganfail_jax import plots, zoo
from ganfail_jax.errors import InputError
from ganfail_jax.latents import generate
from ganfail_jax.results import ResultError
from ganfail_jax.types import Generator
from ganfail_jax.weights.store import Stored

FLAGS = flags.FLAGS
common.define_generator()
common.define_noise("const", "samples as analyze.label shows them")
flags.DEFINE_string("sheet", None, "PNG to write with samples 0 to 39; classes take turns.")
ROWS, COLUMNS, SMALLEST = 4, 10, 64  # images of fewer pixels are drawn larger


def describe(stored: Stored, generator: Generator, parameters: int) -> list[str]:
    """The lines that are printed."""
    about = {name: value for name, value in stored.about.items() if isinstance(value, str | int)}
    settings = (f"{name} {value}" for name, value in {**stored.config, **about}.items())
    sizes: dict[str, int] = {}
    for name, size in generator.style_dims.items():
        part = "convolutions" if "/conv" in name else "tRGB" if "/torgb" in name else name
        sizes[part] = sizes.get(part, 0) + size
    rows = [("layer", "shape", "also called")] + [
        (name, f"{info.resolution}x{info.resolution}x{info.channels}", ", ".join(info.aliases))
        for name, info in generator.layers.items()
    ]
    return [
        f"{stored.kind}: {', '.join(settings)}",
        f"sha256 {stored.sha256}",
        f"{parameters:,} numbers in parameters and buffers",
        f"S has {sum(sizes.values()):,} dimensions: "
        + ", ".join(f"{n:,} of {part}" for part, n in sizes.items()),
        *(f"  {name:<14} {shape:<14} {aliases}" for name, shape, aliases in rows),
    ]


def draw_sheet(generator: Generator, params: Any, path: str) -> None:
    """Write a sheet of samples, as the analyses number them with seed 0."""

    @jax.jit
    def render(params: Any, indices: jax.Array) -> jax.Array:
        return generate(generator, params, 0, indices)[0]

    rows = [render(params, COLUMNS * row + jnp.arange(COLUMNS)) for row in range(ROWS)]
    scale = max(1, SMALLEST // generator.image_shape[0])
    try:
        plots.sheets.save_sheet(path, np.concatenate(rows), COLUMNS, scale)
    except OSError as error:
        raise ResultError(f"cannot write {path} ({error.strerror or error})") from error


def main() -> None:
    if not FLAGS.generator:
        raise InputError("which generator? Give --generator=FILE, a folder or a bundled name")
    generator, params = zoo.load_generator(FLAGS.generator)
    generator = common.with_noise(generator)
    parameters = sum(leaf.size for leaf in jax.tree.leaves(params))
    for line in describe(zoo.read_generator(FLAGS.generator), generator, parameters):
        print(line)
    if FLAGS.sheet:
        draw_sheet(generator, params, FLAGS.sheet)
        print(f"samples with noise {generator.noise}:\n  {FLAGS.sheet}")


if __name__ == "__main__":
    common.run(main)
