"""The course of every study: reuse its folder's result, or compute and save; then draw, report."""

import hashlib
import json
import re
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, nullcontext
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import numpy as np

from ganfail_jax import hosts, pinned, results, runtime
from ganfail_jax.results import Result
from ganfail_jax.runtime import Sweep
from ganfail_jax.writing import only_writer

Summary = Mapping[str, Any]  # "warnings", if any: lines that are printed first and last
Arrays = Mapping[str, Any]
LONGEST = 100  # characters of settings in the name of a folder


class Run(NamedTuple):
    """Where and how a job runs; nothing of it changes the result."""

    batch_size: int = 250  # images per step
    out: str | None = None  # folder of the result; None: a name below runs/
    resume: bool = True  # whether an unfinished run in the folder is continued
    record: Mapping[str, Any] = MappingProxyType({})  # kept beside the result, such as all flags
    given: Mapping[str, Any] = MappingProxyType({})  # settings other than the defaults, by flag

    def folder(self, study: str, *names: object, shown: Collection[str] = ()) -> Path:
        """The folder of the result, by default `runs/<study>/<names and settings joined>`.

        So results of different settings are in different folders.

        Args:
            shown: settings that change only what is drawn.
        """
        if self.out:
            return Path(self.out)
        texts = [*map(str, names)]
        given = {name: value for name, value in self.given.items() if name not in shown}
        more = [f"{n}={_text(v)}" for n, v in given.items() if not _has(texts, n, v)]
        if len("-".join(more)) > LONGEST:
            more = [_digest(given)]
        return Path("runs", study, "-".join([*texts, *more]).replace(":", "."))


def _has(names: Collection[str], setting: str, value: object) -> bool:
    """Whether the names tell this setting: the seed, a model, images, or several of them."""
    if setting == "seed":
        return str(value) in names
    each = value if isinstance(value, list) else [value]
    return all(isinstance(v, str) and Path(v).name in names for v in each)


def _text(value: object) -> str:
    """For the name of a folder; a hash where it is long or has unusual characters."""
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    text = text.replace("/", ".")
    return text if re.fullmatch(r"[\w.,:+-]{1,30}", text) else _digest(value)


def show_duration(seconds: float) -> str:
    """For a person: 40 s, 12 min, 3.5 h."""
    if seconds < 100:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:8]


def _warnings(result: Result) -> list[str]:
    return [f"warning: {line}" for line in result.summary.get("warnings", ())]


class Job(NamedTuple):
    """One run of a study: everything is checked and loaded, nothing is computed yet."""

    folder: Path  # of the result
    identity: Mapping[str, Any]  # what decides whether two results are the same
    subject: str  # what is studied, for a person
    compute: Callable[[Sweep], tuple[Summary, Arrays]]  # resuming in the folder
    draw: Callable[[Path, Result], Iterable[str]]  # further files into the folder -> their names
    describe: Callable[[Summary], Iterable[str]]  # lines of the few numbers that matter
    settings: Run
    # what is shown of the result, beside it: changing it neither changes nor repeats the rest
    shown: Mapping[str, Any] = MappingProxyType({})
    show: Callable[[Sweep, Result], Arrays] | None = None  # further arrays for `draw`

    def run(self) -> Result:
        """Make the result in its folder, unless it is there; draw it, print it and return it.

        An interrupted run continues where it stopped. Matrix products have the highest precision.
        All processes compute; the first one alone has a folder and prints, and the others return
        nothing of a result that was there already.

        Raises:
            InputError: the folder holds another result, another process writes in it or it cannot
                be written, before anything is computed; or the samples do not allow the study, and
                what is done of it is kept.
        """
        with ExitStack() as stack:
            return self._run(stack)

    def preview(self) -> Iterator[str]:
        """What `run` would compute, where, and how long its first pass would take, line by line.

        Two batches are computed for that; nothing is kept.

        Raises:
            InputError: as `run`, of what is in the folder or of the samples.
        """
        yield self.subject
        simple = {n: v for n, v in self.identity.items() if isinstance(v, str | int | float)}
        texts = [f"{n}={_text(v)}" for n, v in simple.items() if not n.endswith("sha256")]
        yield f"settings: {', '.join(texts)}"
        provenance = results.provenance(self.identity, self.settings.record)
        if results.find_same(self.folder, provenance, self.shown):
            yield f"{self.folder} already holds this result: only its figures would be drawn"
            return
        unfinished = self.settings.resume and runtime.has_unfinished(self.folder)
        begun = ", where an unfinished run would be resumed" if unfinished else ""
        yield f"the result would be in {self.folder}{begun}"
        yield self._rehearse()

    def _rehearse(self) -> str:
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as folder, runtime.rehearsal(), pinned.settings():
            try:
                self.compute(self.sweep()._replace(folder=Path(folder)))
            except runtime.Measured as measured:
                return self._estimate(measured)
        return f"about {show_duration(time.monotonic() - started)} in all"

    def _estimate(self, measured: runtime.Measured) -> str:
        if not measured.rate:
            return f"it takes longer than {runtime.PATIENCE:g} s; how long is not known"
        number, unit = measured.total, measured.unit
        if unit == "img":  # a pass may be a part of them
            number = max(number, int(self.identity.get("num_samples") or 0))
        return (
            f"{measured.name}: {measured.rate:,.0f} {unit} a second on "
            f"{jax.devices()[0].device_kind}, so {number:,} take about "
            f"{show_duration(number / measured.rate)}; compiling and other passes come on top"
        )

    def _run(self, stack: ExitStack) -> Result:
        started, first = time.time(), hosts.is_first()
        provenance = results.provenance(self.identity, self.settings.record)
        reused = hosts.from_first(lambda: self._find(provenance, stack)) is not None
        if reused:
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
        result = self._with_shown(results.load(self.folder))
        with results.of_this_version(self.folder) if reused else nullcontext():
            figures = self._show(result)
        runtime.forget_unfinished(self.folder)
        print(f"results in {self.folder}")
        shown = () if self.show is None else (results.SHOWN,)
        for name in (results.SUMMARY, results.ARRAYS, *shown, *figures):
            print(f"  {self.folder / name}")
        for line in _warnings(result):  # again: the first ones may have scrolled away
            print(line)
        return result

    def _show(self, result: Result) -> list[str]:
        """Print the numbers first: they are worth more than figures, whose names are returned."""
        for line in (*_warnings(result), *self.describe(result.summary)):
            print(line)
        try:
            return [*self.draw(self.folder, result)]
        except Exception as error:
            error.add_note(f"the numbers are in {self.folder}, the figures are not")
            raise

    def sweep(self) -> Sweep:
        """How the samples of this job are processed."""
        batch_size, mesh = self.settings.batch_size, runtime.data_mesh()
        return Sweep(batch_size, mesh, self.folder, self.identity)

    def _find(self, provenance: Mapping[str, Any], stack: ExitStack) -> bytes | None:
        """Whether the result is there, in the first process, which locks the folder."""
        folder = results.writable_folder(self.folder)
        stack.enter_context(only_writer(folder))
        return b"found" if results.find_same(folder, provenance, self.shown) else None

    def _with_shown(self, result: Result) -> Result:
        """The result with the arrays of what is shown, which are made unless they are there."""
        if self.show is None:
            return result
        mark = json.dumps([result.provenance["identity"], dict(self.shown)], sort_keys=True)
        arrays = results.load_shown(self.folder, mark)
        if arrays is None:
            with pinned.settings():
                made = self.show(self.sweep(), result)
            arrays = {name: np.asarray(each) for name, each in made.items()}
            results.save_shown(self.folder, mark, arrays)
        return result._replace(arrays={**result.arrays, **arrays})
