"""What does a generator's file hold, and what do its samples look like?"""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ganfail_jax import pinned, plots
from ganfail_jax.latents import generate
from ganfail_jax.results import ResultError
from ganfail_jax.types import Generator, Params
from ganfail_jax.weights.store import Stored
from ganfail_jax.writing import only_writer

ROWS, COLUMNS, SMALLEST = 4, 10, 64  # images of fewer pixels are drawn larger


class Inspected(NamedTuple):
    """A generator as it is stored and as it runs."""

    stored: Stored
    generator: Generator
    params: Params


def inspect(subject: Inspected, sheet: str | None = None) -> None:
    """Print what a generator's file holds.

    Args:
        sheet: PNG file to draw samples into.

    Raises:
        ResultError: it cannot be written.
    """
    for line in describe(subject):
        print(line)
    if sheet:
        draw_sheet(subject.generator, subject.params, sheet)
        print(f"samples with noise {subject.generator.noise}:\n  {sheet}")


def describe(subject: Inspected) -> Iterator[str]:
    """Lines: settings, SHA-256, number of parameters, StyleSpace, and the layers with all names."""
    stored, generator, params = subject
    about = {name: value for name, value in stored.about.items() if isinstance(value, str | int)}
    settings = (f"{name} {value}" for name, value in {**stored.config, **about}.items())
    yield f"{stored.kind}: {', '.join(settings)}"
    yield f"sha256 {stored.sha256}"
    yield f"{sum(x.size for x in jax.tree.leaves(params)):,} numbers in parameters and buffers"
    sizes: dict[str, int] = {}
    for name, size in generator.style_dims.items():
        part = "convolutions" if "/conv" in name else "tRGB" if "/torgb" in name else name
        sizes[part] = sizes.get(part, 0) + size
    parts = ", ".join(f"{n:,} of {part}" for part, n in sizes.items())
    yield f"S has {sum(sizes.values()):,} dimensions: {parts}"
    yield f"  {'layer':<14} {'shape':<14} also called"
    for name, info in generator.layers.items():
        shape = f"{info.resolution}x{info.resolution}x{info.channels}"
        yield f"  {name:<14} {shape:<14} {', '.join(info.aliases)}"


@pinned.settings()
def draw_sheet(generator: Generator, params: Params, path: str) -> None:
    """Write a sheet of samples 0 to 39, as the analyses number them with seed 0.

    Raises:
        ResultError: the file cannot be written.
    """
    render = jax.jit(partial(_render, generator))
    rows = [render(params, COLUMNS * row + jnp.arange(COLUMNS)) for row in range(ROWS)]
    scale = max(1, SMALLEST // generator.image_shape[0])
    try:
        with only_writer(path, flag="--sheet"):
            plots.sheets.save_sheet(path, np.concatenate(rows), COLUMNS, scale)
    except OSError as error:
        raise ResultError(f"cannot write {path} ({error.strerror or error})") from error


def _render(generator: Generator, params: Params, indices: jax.Array) -> jax.Array:
    return generate(generator, params, 0, indices)[0]
