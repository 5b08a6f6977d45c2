"""Imports point one way, and what must not be imported is not."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
RANKS = [
    {
        *("types", "errors", "files", "npz", "edits", "images", "memory", "names", "pinned"),
        "statistics",
    },
    {"latents", "accumulate", "caches", "hosts", "runtime", "results", "tally", "jobs", "writing"},
    {"nn", "metrics", "analysis", "data", "weights", "plots"},
    {"zoo", "own_models", "training", "labelling", "reporting"},
    {"studies"},
    {"cli"},
    {"train", "analyze"},
]
FORBIDDEN = {  # part -> what it may not import
    "analysis": {"ganfail_jax.nn", "ganfail_jax.weights", "ganfail_jax.data", "ganfail_jax.zoo"},
}
SOURCES = [
    path
    for top in ("ganfail_jax", "train", "analyze")
    for path in sorted((ROOT / top).rglob("*.py"))
    if path.name != "__init__.py"
]


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return names


def part(module: str) -> str | None:
    """'ganfail_jax.nn.ops' -> 'nn', 'analyze.rank' -> 'analyze', others -> None."""
    pieces = module.split(".")
    if pieces[0] in ("train", "analyze"):
        return pieces[0]
    return pieces[1] if pieces[0] == "ganfail_jax" and len(pieces) > 1 else None


def rank(name: str) -> int:
    return next(i for i, names in enumerate(RANKS) if name in names)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_one_way(path):
    own = part(".".join(path.relative_to(ROOT).with_suffix("").parts))
    assert own is not None
    for module in imported(path):
        other = part(module)
        if other is not None and other != own and other != "__version__":
            assert rank(other) <= rank(own), f"{path} imports {module}"
        for prefix in FORBIDDEN.get(own, ()):
            assert not module.startswith(prefix), f"{path} imports {module}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_what_is_kept_out_of_a_part(path):
    own = part(".".join(path.relative_to(ROOT).with_suffix("").parts))
    roots = {module.split(".")[0] for module in imported(path)}
    assert not roots & {"tensorflow", "torch", "keras", "onnx"}  # of extras, or of nobody
    assert "matplotlib" not in roots or own == "plots"
    assert "pickle" not in roots or own == "weights"
    assert not any(m.startswith("absl.flags") for m in imported(path)) or own in {
        "cli",
        "train",
        "analyze",
    }
