"""How every file is read: only regular ones, none larger than its kind can be, and only as data.

Whatever else a damaged or hostile file leads to ends in a `FileError` of one line. `npz` reads
arrays by the same rules; `tests/test_files.py` forbids any other road.
"""

import io
import json
import os
import stat
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from ganfail_jax.errors import InputError, one_line

# bytes of a file, by its kind
LARGEST = 2**32  # weights and results; the largest StyleGAN2 checkpoints have 2**29
LARGEST_JSON = 2**24  # 500,000 indices, each on a line; parsed, a file takes up to 25 times it
LARGEST_TABLE = 2**24  # CSV: 400,000 labels
LARGEST_PICTURE = 2**28
DEEPEST = 100  # JSON within JSON; weights nest once for every training that they continued


class FileError(InputError):
    """A file is not a regular one, too large or damaged; one line that does not name it."""


@contextmanager
def opened(path: str | os.PathLike[str], most: int = LARGEST) -> Iterator[io.BufferedReader]:
    """Open a regular file to read: a pipe or a device might never end.

    Raises:
        OSError: it cannot be opened.
        FileError: it is not a regular file, or has more than `most` bytes.
    """
    with open(path, "rb", opener=lambda p, flags: os.open(p, flags | os.O_NONBLOCK)) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise FileError("not a regular file")
        if status.st_size > most:
            raise FileError(f"{status.st_size:,} bytes, more than the {most:,} that are read")
        yield file


def read(path: str | os.PathLike[str], most: int = LARGEST) -> bytes:
    """The bytes of a regular file, as many as it has when it is opened.

    Raises:
        OSError: it cannot be read.
        FileError: it is not a regular file, or has more than `most` bytes.
    """
    with opened(path, most) as file:
        return file.read(os.fstat(file.fileno()).st_size)


def read_json(path: str | os.PathLike[str]) -> Any:
    """What a JSON file says.

    Raises:
        OSError: it cannot be read.
        FileError: as `read`, for more than LARGEST_JSON bytes, and as `parse_json`.
    """
    return parse_json(read(path, LARGEST_JSON))


def parse_json(content: bytes) -> Any:
    """What JSON says, NaN and infinities included.

    Raises:
        FileError: it is not JSON, nests deeper than DEEPEST, names something twice in one object,
            or has text that is not Unicode.
    """
    try:
        parsed = json.loads(content, object_pairs_hook=_without_doubles)
        level = _containers([parsed])
        for _ in range(DEEPEST):
            inner = (each.values() if isinstance(each, dict) else each for each in level)
            level = _containers(chain.from_iterable(inner))
        if level:
            raise RecursionError
        json.dumps(parsed, ensure_ascii=False).encode()
    except RecursionError as error:
        raise FileError(f"JSON that nests more than {DEEPEST} deep") from error
    except FileError:
        raise
    except Exception as error:  # whatever a hostile file leads to: no file is trusted
        raise FileError(f"not JSON: {one_line(error)}") from error
    return parsed


def _containers(values: Iterable[Any]) -> list[dict[str, Any] | list[Any]]:
    return [value for value in values if isinstance(value, dict | list)]


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        double = next(name for name in names if names.count(name) > 1)
        raise FileError(f"JSON with two values of {one_line(ValueError(double))}")
    return found


@contextmanager
def refusals(path: str | os.PathLike[str], error: type[InputError]) -> Iterator[None]:
    """Every error within becomes one of this type, whose line names the file.

    Warnings, such as of numbers beyond float32, are not shown: a file shall not write either.
    """
    shown = one_line(ValueError(Path(path)))
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except OSError as reason:
        raise error(f"{shown} cannot be read: {reason.strerror or reason}") from reason
    except Exception as reason:  # whatever a hostile file leads to: no file is trusted
        raise error(f"{shown}: {one_line(reason)}") from reason


@contextmanager
def expected(
    path: str | os.PathLike[str], error: type[InputError] = InputError, advice: str = ""
) -> Iterator[None]:
    """What was read is used within: where it is laid out otherwise, that is an error of one line.

    Errors of the input pass, for they say more.

    Args:
        advice: the end of the line.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as reason:  # whatever a damaged or hostile file leads to
        what = f"no {one_line(reason)}" if isinstance(reason, KeyError) else one_line(reason)
        raise error(f"{path} does not hold what is expected: {what}{advice}") from reason
