"""The commands of a folder, each with the first line of its docstring; none is imported."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path


def print_index(main_file: str, groups: Mapping[str, Sequence[str]]) -> None:
    """Print the commands beside a `__main__.py`."""
    folder = Path(main_file).parent
    print("\n".join(index_lines(folder, groups)))


def index_lines(folder: Path, groups: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """A paragraph per group, a line per command."""
    width = max(len(name) for names in groups.values() for name in names)
    for title, names in groups.items():
        yield f"{title}"
        for name in names:
            doc = ast.get_docstring(ast.parse((folder / f"{name}.py").read_text("utf-8"))) or ""
            yield f"  {folder.name}.{name:<{width}}  {doc.splitlines()[0]}"
        yield ""
    yield f"python -m {folder.name}.NAME --help shows what a command does and its flags."
