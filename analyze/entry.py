"""How every analysis runs: reuse what its folder holds, or compute, save, draw and tell."""

import re
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from absl import flags
from jax.sharding import Mesh

from analyze import flags as common
from ganfail_jax import hosts, results, runtime
from ganfail_jax.analysis.outputs import Models
from ganfail_jax.analysis.ranking import Ranking, rank
from ganfail_jax.analysis.samples import Samples, collect
from ganfail_jax.errors import InputError
from ganfail_jax.types import Generator

FLAGS = flags.FLAGS
Summary = Mapping[str, Any]
Arrays = Mapping[str, Any]


class Run(NamedTuple):
    """One call of an analysis."""

    models: tuple[Models, ...]  # one generator with each classifier
    identity: Mapping[str, Any]  # what decides whether two results are the same
    folder: Path
    mesh: Mesh
    rankings: tuple[Ranking, ...] = ()  # one per classifier, where the analysis asks for them

    def sweep(self, name: str) -> dict[str, Any]:
        """Arguments by which a `runtime.sweep` of this run resumes and shows progress."""
        part = re.sub(r"[^\w-]+", "-", name)  # a classifier's name may be a path
        return {
            "mesh": self.mesh,
            "checkpoint": self.folder / f"unfinished-{part}.npz",
            "identity": self.identity,
            "progress": name,
        }

    def collect(self, first_index: int = 0) -> Samples:
        """--num_samples samples from this index on, as every classifier sees them."""
        return collect(
            self.models,
            num_samples=FLAGS.num_samples,
            batch_size=FLAGS.batch_size,
            first_index=first_index,
            seed=FLAGS.seed,
            truncation_psi=FLAGS.truncation_psi,
            **self.sweep("samples"),
        )


class Analysis(NamedTuple):
    """What an entry point adds to the common course of an analysis."""

    name: str  # of the folder below runs/
    question: str  # the first line printed
    settings: tuple[str, ...]  # the flags of its own that change the result
    compute: Callable[[Run], tuple[Summary, Arrays]]
    draw: Callable[[Path, Arrays, str], Iterable[str]]  # figures into a folder -> their names
    describe: Callable[[Summary], Iterable[str]]  # the lines of the few numbers that matter
    # raises before any work; returns what else, beside the flags, identifies the result
    check: Callable[[tuple[Models, ...]], Mapping[str, Any] | None] = lambda _: None
    ranked: bool = False  # needs a ranking; its flags come from `flags.define_ranking`


def _ranking_settings(
    identity: Mapping[str, Any], generator: Generator
) -> tuple[dict[str, Any], tuple[Ranking, ...]]:
    """What makes the rankings, by --ranking's result or by the flags, and the one given so.

    A ranking may be given that was made with other noise than what is done with it.

    Raises:
        InputError: --ranking is no ranking of this generator and this classifier.
    """
    names = ("seed", "truncation_psi", "score", "normalize")
    if "ranking" not in FLAGS or not FLAGS.ranking:  # several classifiers have no such flag
        made = {name: FLAGS[name].value for name in names}
        return made | {"num_samples": FLAGS.ranking_samples, "noise": generator.noise}, ()
    for name in ("score", "normalize", "ranking_samples"):
        if FLAGS[name].present:
            raise InputError(f"--ranking has its own {name}: leave --{name} out")
    result = results.load(FLAGS.ranking)
    given = results.restore(Ranking, result.arrays)
    made = result.provenance["identity"]
    for name in ("generator_sha256", "classifier_sha256"):
        if made.get(name) != identity[name]:
            what = name.removesuffix("_sha256")
            whose = made.get(what) or " and ".join(made.get(f"{what}s", ["unknown"]))
            raise InputError(f"the ranking in {FLAGS.ranking} is of another {what}: {whose}")
    settings = {name: made[name] for name in (*names, "num_samples")}
    return settings | {"noise": common.noise_of(made)}, (given,)


def _rank(run: Run) -> tuple[Ranking, ...]:
    """Rank every classifier, or go on."""
    made = {"batch_size": FLAGS.batch_size, **run.identity["ranking"]}
    del made["noise"]  # the generator's own
    pairs = zip(run.models, run.identity["classifiers"], strict=True)
    return tuple(rank(models, **made, **run.sweep(f"ranking {name}")) for models, name in pairs)


def _forget_unfinished(folder: Path) -> None:
    for path in folder.glob("unfinished-*.npz"):
        path.unlink()


def analyse(analysis: Analysis) -> None:
    """Run an analysis in its folder.

    A finished result of the same settings is not made again, only its figures; an interrupted one
    goes on.

    Raises:
        InputError: bad input, before anything is written; or the samples do not allow the
            analysis, and what is done of it stays for the next try.
    """
    print(analysis.question, flush=True)
    models, identity = common.load_models()
    identity |= analysis.check(models) or {}
    identity |= {name: FLAGS[name].value for name in analysis.settings}
    given: tuple[Ranking, ...] = ()
    if analysis.ranked:
        identity["ranking"], given = _ranking_settings(identity, models[0].generator)
    classifiers = (Path(name).name for name in identity["classifiers"])
    parts = (identity["generator"], *classifiers, str(FLAGS.seed))
    folder = common.out_folder(analysis.name, *parts)
    who = f"{' and '.join(identity['classifiers'])} on generator {identity['generator']}"

    def compute(folder: Path) -> tuple[Summary, Arrays]:
        run = Run(models, identity, folder, runtime.data_mesh())
        if analysis.ranked:
            run = run._replace(rankings=given or _rank(run))
        return analysis.compute(run)

    draw = lambda folder, arrays: analysis.draw(folder, arrays, f"classifier {who}")  # noqa: E731
    conclude(folder, identity, f"classifier {who}", compute, draw, analysis.describe)


def conclude(
    folder: Path,
    identity: Mapping[str, Any],
    who: str,
    compute: Callable[[Path], tuple[Summary, Arrays]],
    draw: Callable[[Path, Arrays], Iterable[str]],
    describe: Callable[[Summary], Iterable[str]],
) -> None:
    """Make the result of this identity in a folder, unless it is there; draw it and tell of it.

    All processes compute; the first one alone has a folder and tells.

    Args:
        who: what is analysed, for a person.
    """
    started, first = time.time(), hosts.is_first()
    made_by = results.provenance(identity, common.all_flags())

    def find() -> bytes | None:
        return results.find_same(results.writable_folder(folder), made_by) and b"found"

    if hosts.from_first(find):
        print(f"{folder} already holds this result")
    else:
        noise = f", noise {identity['noise']}" if "noise" in identity else ""
        print(f"{who}{noise}, on {made_by['device']}; compiling", flush=True)
        if first and not FLAGS.resume:
            _forget_unfinished(folder)
        summary, arrays = compute(folder)
        if first:
            content = {**results.without_nan(summary), "seconds": round(time.time() - started, 1)}
            results.save(folder, content, made_by, {k: np.asarray(a) for k, a in arrays.items()})
    if not first:
        return
    result = results.load(folder)
    figures = draw(folder, result.arrays)
    _forget_unfinished(folder)
    for line in describe(result.summary):
        print(line)
    print(f"results in {folder}")
    for name in (results.SUMMARY, results.ARRAYS, *figures):
        print(f"  {folder / name}")
