"""The pictures in a folder, opened when they are looked at: thousands need no memory."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8
from PIL import ExifTags, Image

from ganfail_jax.data.image_sets import Images
from ganfail_jax.errors import InputError

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp"}
MODES = {1: "L", 3: "RGB"}  # channels -> what pictures are converted to
DEEP = ("I", "F")  # how the modes of 16 and 32 bits begin
DEEP_PNG = ("RGB;16B", "LA;16B", "RGBA;16B")  # of 16 bits in the file, of 8 once opened
TURNS = {  # EXIF's orientation -> what makes the picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
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
        InputError: no pictures, or one that is damaged, of another size, not of 8 bits, animated or
            partly transparent, or a link to a file that is not there.
    """
    if not os.path.isdir(folder):  # Path("") would be this one
        raise InputError(f"there is no folder {folder}")
    paths = sorted(_found(Path(folder)))
    if not paths:
        raise InputError(f"no pictures ({', '.join(sorted(SUFFIXES))}) in {folder}")
    if image_shape is None:
        like = paths[0].name
        first = _upright(paths[0])
        image_shape = (first.height, first.width, 3)
    height, width, channels = shape = image_shape

    def take(numbers: Int[np.ndarray, " b"]) -> UInt8[np.ndarray, "b h w c"]:
        images = np.empty((len(numbers), *shape), np.uint8)

        def read(place: int) -> None:
            images[place] = _read(paths[numbers[place]], shape, like)

        with ThreadPoolExecutor() as pool:  # decoding does not hold Python's lock
            list(pool.map(read, range(len(numbers))))
        return images

    return Images((len(paths), height, width, channels), take, read_ahead=True)


def _found(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if hidden or path.suffix.lower() not in SUFFIXES:
            continue
        if path.is_file():
            yield path
        elif path.is_symlink() and not path.exists():  # as git-annex and DVC leave them
            raise InputError(f"{path} links to {os.readlink(path)}, which is not there: fetch it")


def _upright(path: Path) -> Image.Image:
    """The picture as viewers show it: turned as its EXIF data say."""
    try:
        with Image.open(path) as picture:
            deep = picture.mode.startswith(DEEP) or any(t[3] in DEEP_PNG for t in picture.tile)
            # MPO: a JPEG with another picture behind it, such as a preview
            animated = getattr(picture, "is_animated", False) and picture.format != "MPO"
            picture.load()
            turn = TURNS.get(picture.getexif().get(ExifTags.Base.Orientation, 1))
            upright = picture if turn is None else picture.transpose(turn)
    except DAMAGE as error:
        raise InputError(f"{path} is damaged: {error}") from error
    if deep:
        raise InputError(f"{path} has more than 8 bits per colour; save it with 8")
    if animated:
        raise InputError(f"{path} is animated; give single pictures")
    return upright


def _read(path: Path, shape: tuple[int, int, int], like: str) -> UInt8[np.ndarray, "h w c"]:
    height, width, channels = shape
    picture, opacity = _upright(path), 255
    if picture.size != (width, height):
        made, wanted = f"{picture.width}x{picture.height}", f"{width}x{height}"
        raise InputError(f"{path} is {made}, but {wanted} is wanted, like {like}")
    try:
        if "A" in picture.getbands() or "transparency" in picture.info:
            picture = picture.convert("RGBA")
            opacity = np.asarray(picture.getchannel("A")).min()
        pixels = np.asarray(picture.convert(MODES[channels])).reshape(shape)
    except DAMAGE as error:
        raise InputError(f"{path} is damaged: {error}") from error
    if opacity < 255:
        raise InputError(f"{path} is partly transparent; give opaque pictures")
    return pixels
