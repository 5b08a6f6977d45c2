"""How every analysis runs: reuse what its folder holds, or compute, save, draw and tell."""

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from absl import flags
from jax.sharding import Mesh

from analyze import flags as common
from ganfail_jax import results, runtime
from ganfail_jax.analysis.outputs import Models
from ganfail_jax.analysis.ranking import Ranking, rank, restore
from ganfail_jax.errors import InputError

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
        return {
            "mesh": self.mesh,
            "checkpoint": _unfinished(self.folder, name),
            "identity": self.identity,
            "progress": name,
        }


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


def _unfinished(folder: Path, name: str) -> Path:
    return folder / f"unfinished-{name.replace(' ', '-')}.npz"


def _rankings_identity(models: tuple[Models, ...], identity: Mapping[str, Any]) -> dict[str, Any]:
    """What makes the rankings: the settings of --ranking's result or the flags.

    Raises:
        InputError: --ranking was not made with this generator and this classifier.
    """
    names = ("seed", "truncation_psi", "score", "normalize")
    if not FLAGS.ranking:
        return {name: FLAGS[name].value for name in names} | {"num_samples": FLAGS.ranking_samples}
    if len(models) > 1:
        raise InputError("--ranking is of one classifier; several are ranked anew")
    made = results.load(FLAGS.ranking).provenance["identity"]
    for name in ("generator_sha256", "classifier_sha256"):
        if made.get(name) != identity[name]:
            what = name.removesuffix("_sha256")
            raise InputError(f"the ranking in {FLAGS.ranking} is of another {what}")
    return {name: made[name] for name in (*names, "num_samples")}


def _rank(run: Run) -> tuple[Ranking, ...]:
    if FLAGS.ranking:
        return (restore(results.load(FLAGS.ranking).arrays),)
    made = run.identity["ranking"]
    found = []
    for models, name in zip(run.models, run.identity["classifiers"], strict=True):
        found.append(
            rank(
                models,
                batch_size=FLAGS.batch_size,
                **made,
                **run.sweep(f"ranking {name}"),
            )
        )
    return tuple(found)


def analyse(analysis: Analysis) -> None:
    """Run an analysis in its folder.

    A finished result of the same settings is not made again, only its figures; an interrupted one
    goes on.

    Raises:
        InputError: bad input, before anything is written.
    """
    print(analysis.question, flush=True)
    started = time.time()
    models, identity = common.load_models()
    identity |= analysis.check(models) or {}
    identity |= {name: FLAGS[name].value for name in analysis.settings}
    if analysis.ranked:
        identity["ranking"] = _rankings_identity(models, identity)
    parts = (identity["generator"], *map(_plain, identity["classifiers"]), str(FLAGS.seed))
    folder = results.writable_folder(common.out_folder(analysis.name, *parts))
    who = f"{' and '.join(identity['classifiers'])} on generator {identity['generator']}"
    made_by = results.provenance(identity, common.all_flags())
    result = results.find_same(folder, made_by)
    if result is not None:
        print(f"{folder} already holds this result")
        content, arrays = result.summary, result.arrays
    else:
        print(f"classifier {who}, on {made_by['device']}; compiling", flush=True)
        if not FLAGS.resume:
            for path in folder.glob("unfinished-*.npz"):
                path.unlink()
        run = Run(models, identity, folder, runtime.data_mesh())
        if analysis.ranked:
            run = run._replace(rankings=_rank(run))
        content, arrays = analysis.compute(run)
        content = {**results.without_nan(content), "seconds": round(time.time() - started, 1)}
        arrays = {name: np.asarray(a) for name, a in arrays.items()}
        results.save(folder, content, made_by, arrays)
    figures = analysis.draw(folder, arrays, f"classifier {who}")
    for path in folder.glob("unfinished-*.npz"):
        path.unlink()
    for line in analysis.describe(content):
        print(line)
    for name in (results.SUMMARY, results.ARRAYS, *figures):
        print(f"  {folder / name}")


def _plain(name: str) -> str:
    return Path(name).name
