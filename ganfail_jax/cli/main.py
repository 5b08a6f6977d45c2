"""How every command starts, fails and ends.

A command's file has `define(flags)`, which defines its flags, and `plan(flags)`, which checks them,
loads what they name and returns what is to be done, before anything is computed. Its docstring is
what `--help` begins with; the first line of it is printed when the command starts.
"""

import io
import math
import os
import signal
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

import jax
from absl import flags as absl_flags
from absl import logging
from absl.flags import Flag, FlagValues

from ganfail_jax import caches, hosts, memory, pinned
from ganfail_jax.cli import faults
from ganfail_jax.cli.flags import define_dry_run
from ganfail_jax.cli.hosts import join_hosts
from ganfail_jax.errors import InputError
from ganfail_jax.jobs import Job

Define = Callable[[FlagValues], None]
Task = Job | Callable[[], object]  # what a plan has checked and loaded
Plan = Callable[[FlagValues], Task]

FAILED, BROKEN, INTERRUPTED = 1, 70, 130  # BROKEN: EX_SOFTWARE of sysexits.h
HELP = {"--help", "-help", "-h", "--helpfull", "--helpshort"}
SHARED = "ganfail_jax.cli."
WIDTH = 100
TITLES = {  # of modules whose names do not say what their flags are about
    "correction_tables": "Flags of the tables of Tousi 2021",
    "discriminators": "Flags about the discriminator",
    "flags": "Flags of most commands",
    "hosts": "Flags of several hosts",
    "rate_tables": "Flags of the tables of Choi 2022",
    "starts": "Flags about where a search starts",
}


def main(doc: str | None, define: Define, plan: Plan) -> NoReturn:
    """Run a command as the program of this process.

    A fault of the program is one line too, unless `faults.SHOW` is in the environment.
    """
    os.environ["MPLBACKEND"] = "agg"  # one that a notebook leaves cannot be imported elsewhere
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")
    sys.unraisablehook = _interrupt_again
    logging.set_verbosity(logging.WARNING)  # JAX and Orbax report every backend and file
    memory.keep_freed_memory()
    caches.keep_compiled_programs()
    try:
        status = execute(doc or "", define, plan, sys.argv)
    except Exception as error:
        if faults.SHOW in os.environ:
            raise
        print(f"error: {faults.of_program(error)}", file=sys.stderr)
        status = BROKEN
    _drop_what_nobody_takes()
    if status:
        hosts.leave(status, at_once=status == INTERRUPTED)
    sys.exit(status)


def execute(doc: str, define: Define, plan: Plan, argv: Sequence[str]) -> int:
    """Run a command with these arguments -> exit status.

    A fault of the input or of the machine is one line and a status that is not 0.
    """
    flags = FlagValues()
    try:
        define(flags)
        define_dry_run(flags)
        if HELP & {*argv[1:]}:
            print("\n".join(help_lines(doc, flags)))
            return 0
        parse(flags, argv)
        join_hosts(flags)
        _check_platform()
        print(doc.strip().splitlines()[0], flush=True)
        with pinned.settings():
            task = plan(flags)
            if flags.dry_run:
                _preview(task)
            else:
                _run(task)
        sys.stdout.flush()
        return 0
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILED
    except BrokenPipeError:  # the reader of our output, such as head, has had enough
        return FAILED
    except KeyboardInterrupt:
        purpose = " to resume" if "resume" in flags else ""
        print(f"interrupted; run the same command again{purpose}", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        several = isinstance(error, jax.errors.JaxRuntimeError) and jax.process_count() > 1
        reason = faults.of_machine(error)
        if reason is None and several:
            reason = f"another process has ended or did not answer: {str(error).splitlines()[0]}"
        if reason is None:
            raise
        print(f"error: {reason}", file=sys.stderr)
        return FAILED


def _run(task: Task) -> None:
    if isinstance(task, Job):
        task.run()
    else:
        task()


def _preview(task: Task) -> None:
    """What a command would do, of which nothing is kept."""
    print("dry run: no result is written")
    if isinstance(task, Job):
        for line in task.preview():
            print(line, flush=True)
    else:
        print("the flags are valid and what they name is there; this command has no estimate")


def _interrupt_again(lost: Any) -> None:
    """Repeat a Ctrl-C that fell into a callback of the garbage collector, which ignores errors."""
    if lost.exc_type is not KeyboardInterrupt or not hasattr(signal, "pthread_kill"):
        sys.__unraisablehook__(lost)
        return
    main_thread = threading.main_thread().ident
    again = threading.Timer(0.1, signal.pthread_kill, (main_thread, signal.SIGINT))
    again.daemon = True
    again.start()


def _check_platform() -> None:
    """
    Raises:
        InputError: JAX does not start on the platforms that the environment names.
    """
    try:
        jax.default_backend()
    except (RuntimeError, AssertionError) as error:
        wanted = os.environ.get("JAX_PLATFORMS") or "any platform"
        raise InputError(
            f"JAX cannot start on {wanted} here; JAX_PLATFORMS=cpu takes the processor"
        ) from error


def _drop_what_nobody_takes() -> None:
    """Forget output that cannot be written: the interpreter would try again, and complain."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def parse(flags: FlagValues, argv: Sequence[str]) -> None:
    """Give flags the values of the arguments.

    Raises:
        InputError: an unknown flag, or a value that is not allowed.
    """
    try:
        rest = flags([*argv])
    except absl_flags.Error as error:
        raise InputError(f"{' '.join(str(error).split())}; see --help") from error
    if len(rest) > 1:
        raise InputError(f"what is {rest[1]!r}? Flags are given as --name=value")
    for name, value in flags.flag_values_dict().items():
        if isinstance(value, float) and not math.isfinite(value):
            raise InputError(f"flag --{name}={value}: not a finite number; see --help")


def help_lines(doc: str, flags: FlagValues) -> Iterator[str]:
    """The docstring, the command's own flags, and the shared ones by what they are about."""
    yield doc.strip()
    modules = flags.flags_by_module_dict()
    own = [module for module in modules if not module.startswith(SHARED)]
    shared = sorted(module for module in modules if module.startswith(SHARED))
    for module in (*own, *shared):
        title = "Flags of this command" if module in own else _title(module)
        yield f"\n{title}:"
        for flag in sorted(modules[module], key=lambda flag: flag.name):
            yield from _flag_lines(flag)


def _title(module: str) -> str:
    subject = module.removeprefix(SHARED)
    return TITLES.get(subject, f"Flags about {subject}")


def _flag_lines(flag: Flag) -> Iterator[str]:
    value = flag.default
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value).lower()
    text = str(value) if isinstance(value, str) else text
    default = "" if value is None else f" (default: {text})" if flag.boolean else f"={text}"
    yield f"  --{'[no]' if flag.boolean else ''}{flag.name}{default}"
    indent = " " * 6
    yield from textwrap.wrap(
        flag.help or "", WIDTH, initial_indent=indent, subsequent_indent=indent
    )
