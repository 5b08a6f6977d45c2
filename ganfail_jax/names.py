"""Names of files, folders and classes, for a person."""

import os
from pathlib import Path


def printable(text: str) -> str:
    """A text without lone surrogates, which stand for bytes of a path that are not UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()


def last_part(path: str | os.PathLike[str]) -> str:
    """The name of a file or a folder, printable."""
    return printable(Path(path).name)
