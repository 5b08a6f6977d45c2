"""The course of every study: reuse its folder's result, or compute and save; then draw, report."""

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from ganfail_jax import hosts, pinned, results, runtime
from ganfail_jax.results import Result
from ganfail_jax.runtime import Sweep

Summary = Mapping[str, Any]  # "warnings", if any: lines that are printed before all numbers
Arrays = Mapping[str, Any]


class Run(NamedTuple):
    """Where and how a job runs; nothing of it changes the result."""

    batch_size: int = 250  # images per step
    out: str | None = None  # folder of the result; None: a name below runs/
    resume: bool = True  # whether an unfinished run in the folder is continued
    record: Mapping[str, Any] = MappingProxyType({})  # kept beside the result, such as all flags

    def folder(self, study: str, *names: object) -> Path:
        """The folder of the result, by default `runs/<study>/<names joined>`."""
        return Path(self.out) if self.out else Path("runs", study, "-".join(map(str, names)))


class Job(NamedTuple):
    """One run of a study: everything is checked and loaded, nothing is computed yet."""

    folder: Path  # of the result
    identity: Mapping[str, Any]  # what decides whether two results are the same
    subject: str  # what is studied, for a person
    compute: Callable[[Sweep], tuple[Summary, Arrays]]  # resuming in the folder
    draw: Callable[[Path, Result], Iterable[str]]  # further files into the folder -> their names
    describe: Callable[[Summary], Iterable[str]]  # lines of the few numbers that matter
    settings: Run

    def run(self) -> Result:
        """Make the result in its folder, unless it is there; draw it, print it and return it.

        An interrupted run continues where it stopped. Matrix products have the highest precision.
        All processes compute; the first one alone has a folder and prints, and the others return
        nothing of a result that was there already.

        Raises:
            InputError: the folder holds another result or cannot be written, before anything is
                computed; or the samples do not allow the study, and what is done of it is kept.
        """
        started, first = time.time(), hosts.is_first()
        provenance = results.provenance(self.identity, self.settings.record)
        if hosts.from_first(lambda: self._find(provenance)):
            print(f"{self.folder} already holds this result")
        else:
            noise = f", noise {self.identity['noise']}" if "noise" in self.identity else ""
            print(f"{self.subject}{noise}, on {provenance['device']}; compiling", flush=True)
            if first and not self.settings.resume:
                runtime.forget_unfinished(self.folder)
            with pinned.settings():
                summary, arrays = self.compute(self.sweep())
            content = {"seconds": round(time.time() - started, 1)}
            content = {**results.without_nan(summary), **content}
            arrays = {name: np.asarray(each) for name, each in arrays.items()}
            if not first:
                return Result(content, provenance, arrays)
            results.save(self.folder, content, provenance, arrays)
        if not first:
            return Result({}, provenance, {})
        result = results.load(self.folder)
        figures = self.draw(self.folder, result)
        runtime.forget_unfinished(self.folder)
        warnings = (f"warning: {line}" for line in result.summary.get("warnings", ()))
        for line in (*warnings, *self.describe(result.summary)):
            print(line)
        print(f"results in {self.folder}")
        for name in (results.SUMMARY, results.ARRAYS, *figures):
            print(f"  {self.folder / name}")
        return result

    def sweep(self) -> Sweep:
        """How the samples of this job are processed."""
        batch_size, mesh = self.settings.batch_size, runtime.data_mesh()
        return Sweep(batch_size, mesh, self.folder, self.identity)

    def _find(self, provenance: Mapping[str, Any]) -> bytes | None:
        folder = results.writable_folder(self.folder)
        return b"found" if results.find_same(folder, provenance) else None
