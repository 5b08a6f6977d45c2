"""The size of functions: few arguments, short entry points."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = [p for top in ("ganfail_jax", "train", "analyze") for p in (ROOT / top).rglob("*.py")]
MOST_ARGUMENTS, MOST_LINES = 8, 50
MANY = {  # functions of more arguments -> why
    "analysis/ranking.py: rank": "every choice of Le Coz 2022, sec. 2.2, and of the bootstrap",
    "analysis/push.py: push_effect": "the design of an experiment: whom, how many, how far",
    "nn/wrapped.py: wrap": "what a network expects of images, as its publisher states it",
    "training/quality.py: evaluator": "two networks with their data, and four sizes",
}
ENTRIES = ("main", "plan", "define")
MAKE_KEYS = {"key", "PRNGKey", "wrap_key_data", "seed"}
DRAW = {"normal": 3, "uniform": 3, "randint": 5}  # place of the type among their arguments
NEEDS_NO_TYPE = {"fold_in", "split", "bernoulli"}  # a share is given its type where it is made


def functions(path):
    return [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.FunctionDef)]


def arguments(node):
    names = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    return [name for name in names if name not in ("self", "cls")]


def test_functions_have_few_arguments():
    many = {
        f"{path.relative_to(ROOT / 'ganfail_jax')}: {node.name}"
        for path in (ROOT / "ganfail_jax").rglob("*.py")
        for node in functions(path)
        if len(arguments(node)) > MOST_ARGUMENTS
    }
    assert many == {*MANY}


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_entry_points_are_short(path):
    for node in functions(path):
        if node.name in ENTRIES:
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < MOST_LINES, node.name


@pytest.mark.parametrize("folder", ["analyze", "train"])
def test_commands_hold_nothing_but_their_flags_and_plan(folder):
    for path in (ROOT / folder).glob("[!_]*.py"):
        defined = {node.name for node in functions(path)}
        assert {"define", "plan"} <= defined, path
        body = ast.parse(path.read_text()).body
        assert not any(isinstance(node, ast.ClassDef) for node in body), path


def test_flags_are_only_where_commands_are():
    for path in (ROOT / "ganfail_jax").rglob("*.py"):
        text = path.read_text()
        assert "FLAGS" not in text.replace("XLA_FLAGS", ""), path
        assert "absl.flags" not in text or path.parent.name == "cli", path


def random_calls(path):
    """(function of jax.random, call) of a file; nothing else may be imported from there."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.module != "jax.random", path
            assert node.module != "jax" or "random" not in [name.name for name in node.names], path
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("jax.random."):
            yield ast.unparse(node.func).removeprefix("jax.random."), node


def test_random_numbers_do_not_depend_on_settings():
    """Keys come from one place, and numbers have a type of their own: see `pinned`."""
    for path in SOURCES:
        for name, call in random_calls(path):
            if path.name != "pinned.py":
                assert name not in MAKE_KEYS, f"{path}:{call.lineno}"
            if name not in MAKE_KEYS | NEEDS_NO_TYPE:
                assert len(call.args) >= DRAW[name], f"{path}:{call.lineno}"
