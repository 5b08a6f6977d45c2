"""How fast are the passes that analyses and training are made of, and what is the floor?"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ganfail_jax import results
from ganfail_jax.errors import InputError
from ganfail_jax.jobs import Arrays, Job, Run, Summary
from ganfail_jax.metrics.features import Features
from ganfail_jax.results import Result
from ganfail_jax.runtime import Sweep
from ganfail_jax.studies import passes
from ganfail_jax.studies.passes import Pass
from ganfail_jax.studies.subject import Subject, check_gradient, check_truncation

REPOSITORY = Path(__file__).parents[2]
TABLE = "benchmark.md"


class Settings(NamedTuple):
    """What is measured."""

    seed: int = 0
    truncation_psi: float = 1.0
    training: bool = True  # steps of both GANs, too
    commands: bool = True  # whole commands, too


def plan(
    subject: Subject,
    settings: Settings = Settings(),
    run: Run = Run(),
    inception: Features | None = None,
) -> Job:
    """The job for one classifier; unlike those of other studies its result is never reused.

    Args:
        inception: measured too.

    Raises:
        InputError: the folder holds a result, or truncation of a generator without any.
    """
    check_truncation(subject.generator, settings.truncation_psi)
    check_gradient(subject, "its pass is measured")
    folder = run.folder("benchmark", time.strftime("%Y%m%d-%H%M%S"))
    if (folder / results.SUMMARY).exists():
        raise InputError(f"{folder} already holds a result; choose another --out")
    sampled = {"seed": settings.seed, "truncation_psi": settings.truncation_psi}
    return Job(
        folder=folder,
        identity={**subject.identity, **sampled},
        subject=subject.title,
        compute=partial(_compute, subject, settings, inception),
        draw=_write,
        describe=_describe,
        settings=run,
    )


def _compute(
    subject: Subject, settings: Settings, inception: Features | None, sweep: Sweep
) -> tuple[Summary, Arrays]:
    floor, measured = passes.matmul_rate(), list[Pass]()
    for each in _passes(subject, settings, inception, sweep, floor):
        print(f"{each.name}: {each.images_per_s:,.0f} images per second", flush=True)
        measured.append(each)
    return {
        "matmul_gflops": floor / 1e9,
        "passes": [each._asdict() for each in measured],
        "commands": list(command_times()) if settings.commands else [],
        "gradient_over_forward": measured[0].images_per_s / measured[1].images_per_s,
    }, {}


def _passes(
    subject: Subject, settings: Settings, inception: Features | None, sweep: Sweep, floor: float
) -> Iterator[Pass]:
    """One after the other, so that each can be printed when it is done."""
    (models,), batch = subject.models, sweep.batch_size
    sampled = {"seed": settings.seed, "truncation_psi": settings.truncation_psi}
    yield from passes.style_passes(models, batch, floor, **sampled)
    yield passes.counting_pass(models, sweep.mesh, floor)
    yield passes.ablation_pass(models, batch, floor)
    if inception is not None:
        yield passes.inception_pass(inception, floor)
    if settings.training:
        yield from passes.training_passes(floor)


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
            if done.returncode:
                raise InputError(f"{' '.join(command)} failed: {done.stderr.decode()[-200:]}")
            cpu = sum(after[2:4]) - sum(before[2:4])
            yield {"command": name, "seconds": wall, "cpu_seconds": cpu}


def table(summary: Summary) -> Iterator[str]:
    """Lines of the tables in Markdown."""
    gflops = f"{summary['matmul_gflops']:.0f}"
    yield f"| pass | images per second | MFLOP per image | share of {gflops} GFLOP/s |"
    yield "|---|---|---|---|"
    for row in summary["passes"]:
        each = Pass(**row)
        numbers = f"{each.images_per_s:,.0f} | {each.mflop_per_image:,.0f} | {each.of_matmul:.0%}"
        yield f"| {each.name} | {numbers} |"
    if summary["commands"]:
        yield ""
        yield "| command | seconds | CPU seconds |"
        yield "|---|---|---|"
        for row in summary["commands"]:
            yield f"| {row['command']} | {row['seconds']:.1f} | {row['cpu_seconds']:.1f} |"


def _write(folder: Path, result: Result) -> tuple[str, ...]:
    with results.replace_file(folder / TABLE) as new:
        new.write_text("\n".join(table(result.summary)) + "\n", encoding="utf-8")
    return (TABLE,)


def _describe(summary: Summary) -> Iterator[str]:
    yield ""
    yield from table(summary)
    yield ""
    yield f"a style gradient costs {summary['gradient_over_forward']:.2f} forward passes"
