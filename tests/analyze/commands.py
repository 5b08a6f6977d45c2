"""Commands as a user calls them, in this process or in one of their own."""

import contextlib
import importlib
import io
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import numpy as np
from absl.flags import FlagValues

from ganfail_jax import results
from ganfail_jax.cli.main import execute, parse

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def command(name, *args):
    return [sys.executable, "-m", f"analyze.{name}", *map(str, args)]


def run_process(name, *args, cwd):
    """Run `python -m analyze.<name>` to its end."""
    called = command(name, *args)
    return subprocess.run(
        called, cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, timeout=300
    )


def run(name, *args, cwd, package="analyze"):
    """The same in this process: what it prints and its exit status."""
    module = importlib.import_module(f"{package}.{name}")
    argv = [f"{package}.{name}", *map(str, args)]
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(cwd),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.dict(os.environ, ENVIRONMENT),
    ):
        status = execute(module.__doc__ or "", module.define, module.plan, argv)
    return subprocess.CompletedProcess(argv, status, out.getvalue(), err.getvalue())


def only_folder(cwd, study):
    """The default folder of the only result of a study; settings other than defaults name it."""
    (folder,) = (cwd / "runs" / study).iterdir()
    return folder


def arrays_with_shown(folder):
    """All arrays that the figures of a result are drawn from."""
    with np.load(folder / "shown.npz") as shown:
        return {**results.load(folder).arrays, **shown}


def flags_of(*definitions, **given):
    """Flags that these functions define, with the values given (None: not given)."""
    flags = FlagValues()
    for define in definitions:
        define(flags)
    lists = {name: ",".join(v) if isinstance(v, list) else v for name, v in given.items()}
    parse(flags, ["command", *(f"--{n}={v}" for n, v in lists.items() if v is not None)])
    return flags
