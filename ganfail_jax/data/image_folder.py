"""The pictures in a folder, opened when they are looked at: thousands need no memory."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8
from PIL import Image, ImageFile

from ganfail_jax.data.image_sets import Images
from ganfail_jax.errors import InputError

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp"}
MODES = {1: "L", 3: "RGB"}  # channels -> what pictures are converted to
DEEP = ("I", "F")  # how the modes of 16 and 32 bits begin
DEEP_PNG = ("RGB;16B", "LA;16B", "RGBA;16B")  # of 16 bits in the file, of 8 once opened
DAMAGE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)


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
        InputError: no pictures, or one that is damaged, of another size, not of 8 bits or partly
            transparent, or a link to a file that is not there.
    """
    if not os.path.isdir(folder):  # Path("") would be this one
        raise InputError(f"there is no folder {folder}")
    paths = sorted(_found(Path(folder)))
    if not paths:
        raise InputError(f"no pictures ({', '.join(sorted(SUFFIXES))}) in {folder}")
    if image_shape is None:
        like = paths[0].name
        with _opened(paths[0]) as first:
            image_shape = (first.height, first.width, 3)
    height, width, channels = shape = image_shape

    def take(numbers: Int[np.ndarray, " b"]) -> UInt8[np.ndarray, "b h w c"]:
        images = np.empty((len(numbers), *shape), np.uint8)
        for image, number in zip(images, numbers, strict=True):
            image[:] = _read(paths[number], shape, like)
        return images

    return Images((len(paths), height, width, channels), take)


def _found(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if hidden or path.suffix.lower() not in SUFFIXES:
            continue
        if path.is_file():
            yield path
        elif path.is_symlink() and not path.exists():  # as git-annex and DVC leave them
            raise InputError(f"{path} links to {os.readlink(path)}, which is not there: fetch it")


def _opened(path: Path) -> ImageFile.ImageFile:
    try:
        return Image.open(path)
    except DAMAGE as error:
        raise InputError(f"{path} is damaged: {error}") from error


def _read(path: Path, shape: tuple[int, int, int], like: str) -> UInt8[np.ndarray, "h w c"]:
    height, width, channels = shape
    with _opened(path) as picture:
        if picture.size != (width, height):
            made, wanted = f"{picture.width}x{picture.height}", f"{width}x{height}"
            raise InputError(f"{path} is {made}, but {wanted} is wanted, like {like}")
        if picture.mode.startswith(DEEP) or any(tile[3] in DEEP_PNG for tile in picture.tile):
            raise InputError(f"{path} has more than 8 bits per colour; save it with 8")
        seen, opacity = picture, 255
        try:
            if "A" in picture.getbands() or "transparency" in picture.info:
                seen = picture.convert("RGBA")
                opacity = np.asarray(seen.getchannel("A")).min()
            pixels = np.asarray(seen.convert(MODES[channels])).reshape(shape)
        except DAMAGE as error:
            raise InputError(f"{path} is damaged: {error}") from error
    if opacity < 255:
        raise InputError(f"{path} is partly transparent; give opaque pictures")
    return pixels
