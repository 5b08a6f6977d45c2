"""The pictures in a folder, opened when they are looked at: thousands need no memory."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8

from ganfail_jax.data.image_sets import Images
from ganfail_jax.data.pictures import SUFFIXES, is_picture, opaque, pixels, read_each, upright
from ganfail_jax.errors import InputError


def read_folder(
    folder: str | os.PathLike[str],
    image_shape: tuple[int, int, int] | None = None,
    *,
    like: str = "",
) -> Images:
    """The pictures in a folder and the folders in it, by name; `take` raises as this does.

    Files of other suffixes than `SUFFIXES`, folders that are links and what is hidden, its name
    beginning with a dot, are not looked at.

    Args:
        image_shape: (h, w, c) of every picture; colours become grey where c is 1. None: the first
            one's size, in colours.
        like: whose shape it is, such as "the generator's images".

    Raises:
        InputError: no pictures, or one that is damaged, of another size, not of 8 bits, animated or
            partly transparent, or a link to a file that is not there.
    """
    paths = picture_paths(folder)
    if image_shape is None:
        like = paths[0].name
        first = upright(paths[0], paths[0])
        image_shape = (first.height, first.width, 3)
    height, width, channels = shape = image_shape

    def take(numbers: Int[np.ndarray, " b"]) -> UInt8[np.ndarray, "b h w c"]:
        return read_each(lambda number: _read(paths[number], shape, like), numbers, shape)

    return Images((len(paths), height, width, channels), take, read_ahead=True)


def picture_paths(folder: str | os.PathLike[str]) -> list[Path]:
    """The pictures that `read_folder` reads, sorted.

    Raises:
        InputError: no folder, no pictures, or one is a link to a file that is not there.
    """
    if not os.path.isdir(folder):  # Path("") would be this one
        raise InputError(f"there is no folder {folder}")
    paths = sorted(_pictures(Path(folder)))
    if not paths:
        raise InputError(f"no pictures ({', '.join(sorted(SUFFIXES))}) in {folder}")
    return paths


def _pictures(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if not is_picture(str(path.relative_to(folder))):
            continue
        if path.is_file():
            yield path
        elif path.is_symlink() and not path.exists():  # as git-annex and DVC leave them
            raise InputError(f"{path} links to {os.readlink(path)}, which is not there: fetch it")
        elif not path.is_dir():
            raise InputError(f"{path} is not a regular file")


def _read(path: Path, shape: tuple[int, int, int], like: str) -> UInt8[np.ndarray, "h w c"]:
    height, width, channels = shape
    picture = upright(path, path)
    if picture.size != (width, height):
        made, wanted = f"{picture.width}x{picture.height}", f"{width}x{height}"
        raise InputError(f"{path} is {made}, but {wanted} is wanted, like {like}")
    return pixels(opaque(picture, path), channels)
