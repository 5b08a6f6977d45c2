"""How every command starts, fails and ends, whatever it does."""

import importlib
import re

import jax
import pytest
from absl import flags as absl_flags
from absl.flags import (
    DEFINE_bool,
    DEFINE_float,
    DEFINE_integer,
    DEFINE_list,
    FlagValues,
    FloatParser,
    IntegerParser,
)

from ganfail_jax import tally
from ganfail_jax.cli import flags as common
from ganfail_jax.cli.main import HELP, execute, help_lines
from ganfail_jax.errors import InputError
from tests.analyze.commands import ROOT, run

DOC = """How much is it?

    python -m analyze.something

Counts it.
"""
COMMANDS = [
    f"{path.parent.name}.{path.stem}"
    for folder in ("analyze", "train")
    for path in sorted((ROOT / folder).glob("*.py"))
    if "def define(flags: FlagValues)" in path.read_text()
]


def define(flags):
    common.define_seed(flags)
    DEFINE_float("share", 0.5, "Of everything.", flag_values=flags)
    DEFINE_bool("fast", True, "Hurry.", flag_values=flags)
    DEFINE_integer("least", None, "Fewer are refused.", 1, flag_values=flags)
    DEFINE_list("names", ["a", "b"], "By commas.", flag_values=flags)


def nothing(flags):
    return lambda: None


@pytest.fixture
def start(capsys):
    """Run a command with a plan and arguments -> exit status, printed lines, lines of errors."""

    def start(plan, *arguments):
        status = execute(DOC, define, plan, ["command", *arguments])
        printed = capsys.readouterr()
        return status, printed.out.splitlines(), printed.err.splitlines()

    return start


@pytest.mark.parametrize("word", sorted(HELP))
def test_help_lists_own_and_shared_flags_with_their_defaults(word, start):
    def plan(flags):
        raise AssertionError("help plans nothing")

    status, lines, errors = start(plan, "--seed=1", word)
    assert (status, errors) == (0, [])
    assert lines[:3] == ["How much is it?", "", "    python -m analyze.something"]
    own, shared = lines.index("Flags of this command:"), lines.index("Flags of most commands:")
    assert lines[own + 1 : shared - 1] == [
        "  --[no]fast (default: true)",
        "      Hurry.",
        "  --least",
        "      Fewer are refused.",
        "  --names=a,b",
        "      By commas.",
        "  --share=0.5",
        "      Of everything.",
    ]
    assert lines[shared + 1 :] == [
        "  --[no]dry_run (default: false)",
        "      Only check the flags and say what would be computed, where, and how fast.",
        "  --seed=0",
        "      Seed of everything random.",
    ]


def test_a_command_gets_the_values_of_its_flags(start):
    values = {}

    def plan(flags):
        values.update(flags.flag_values_dict())
        return lambda: print("done", values["seed"])

    status, lines, errors = start(plan, "--seed=7", "--nofast", "--names=x")
    assert (status, errors) == (0, [])
    assert lines == ["How much is it?", "done 7"]
    own = {"seed": 7, "share": 0.5, "fast": False, "least": None, "names": ["x"]}
    assert values == {**own, "dry_run": False}


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--sample=3", "Unknown command line flag 'sample'"),
        ("--least=0", "flag --least=0: 0 is not a positive integer"),
        ("--seed=x", "flag --seed=x: invalid literal for int() with base 10: 'x'"),
        ("--share=nan", "flag --share=nan: not a finite number"),
        ("--share=-inf", "flag --share=-inf: not a finite number"),
    ],
)
def test_a_wrong_flag_is_one_line_and_plans_nothing(argument, message, start):
    def plan(flags):
        raise AssertionError("a wrong flag plans nothing")

    status, lines, errors = start(plan, argument)
    assert (status, lines) == (1, [])
    (line,) = errors
    assert line.startswith(f"error: {message}")
    assert line.endswith("; see --help")


def test_a_dry_run_plans_and_does_nothing(start):
    planned, done = [], []

    def plan(flags):
        planned.append(flags.seed)
        return lambda: done.append(1)

    status, lines, _ = start(plan, "--dry_run", "--seed=3")
    assert (status, planned, done) == (0, [3], [])
    assert lines[1] == "dry run: no result is written"
    assert start(plan)[0] == 0
    assert done == [1]


def test_a_stray_word_is_refused(start):
    status, _, errors = start(nothing, "mnist_c")
    assert status == 1
    assert errors == ["error: what is 'mnist_c'? Flags are given as --name=value"]


@pytest.mark.parametrize("when", ["plan", "task"])
def test_a_fault_of_the_input_is_one_line(when, start):
    def fail():
        raise InputError("there is nothing to count")

    status, _, errors = start(lambda flags: fail() if when == "plan" else fail)
    assert (status, errors) == (1, ["error: there is nothing to count"])


def test_a_fault_of_ours_is_not_hidden(start):
    def fail():
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        start(lambda flags: fail)


@pytest.mark.parametrize("processes", [1, 2])
def test_the_end_of_another_process_is_one_line(processes, start, monkeypatch):
    def fail():
        raise jax.errors.JaxRuntimeError("DEADLINE_EXCEEDED\nat barrier")

    monkeypatch.setattr(jax, "process_count", lambda: processes)
    if processes == 1:
        with pytest.raises(jax.errors.JaxRuntimeError):
            start(lambda flags: fail)
        return
    status, _, errors = start(lambda flags: fail)
    expected = "error: another process has ended or did not answer: DEADLINE_EXCEEDED"
    assert (status, errors) == (1, [expected])


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name):
    """All in one process: no flag is defined in a place that commands share."""
    module = importlib.import_module(name)
    flags, doc = FlagValues(), module.__doc__ or ""
    module.define(flags)
    lines = "\n".join(help_lines(doc, flags)).splitlines()
    assert re.search(rf"^    python -m {re.escape(name)}\b", doc, re.MULTILINE)
    assert lines[0] == doc.splitlines()[0]
    assert lines[1] == ""
    assert max(map(len, lines)) <= 100
    listed = {re.split("=| \\(", line)[0] for line in lines if line.startswith("  --")}
    assert listed == {f"  --{'[no]' if flags[n].boolean else ''}{n}" for n in flags}
    assert all(flags[name].help for name in flags)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_number_has_bounds(name):
    """So it is refused where it is given, before any work, and no slip fills the memory."""
    flags = FlagValues()
    importlib.import_module(name).define(flags)
    parsers = {n: flags[n].parser for n in flags}
    numbers = {n: p for n, p in parsers.items() if isinstance(p, IntegerParser | FloatParser)}
    unbounded = [n for n, p in numbers.items() if None in (p.lower_bound, p.upper_bound)]
    assert not unbounded
    samples = [p.upper_bound or 0 for n, p in numbers.items() if n.endswith("_samples")]
    assert 2 * max(samples, default=0) <= tally.LARGEST


def test_a_dataset_is_known_even_where_it_is_not_used(tmp_path):
    done = run("rates", "--generator=mnist_c", "--dataset=zz", cwd=tmp_path)
    expected = "error: flag --dataset=zz: no dataset is called 'zz'; datasets are mnist, mnist_c, "
    expected += "a folder, .zip or .npz of pictures, and tfds:NAME"
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{expected}; see --help\n"


def test_help_of_a_command_has_none_of_absls_flags(tmp_path):
    done = run("rank", "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert "\n  --bootstrap=100\n" in done.stdout
    modules = absl_flags.FLAGS.flags_by_module_dict().items()
    absls = [flag.name for module, flags in modules if module.startswith("absl") for flag in flags]
    assert {"verbosity", "logtostderr"} <= {*absls}
    assert not [name for name in absls if re.search(rf"--(\[no\])?{name}\b", done.stdout)]
