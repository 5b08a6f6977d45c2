"""A picture's file as pixels: upright, opaque and of 8 bits, or one line says why not."""

import io
import os
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from jaxtyping import Int, UInt8
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from ganfail_jax import files
from ganfail_jax.errors import InputError, one_line

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp"}
MODES = {1: "L", 3: "RGB"}  # channels -> what pictures are converted to
GREY = {"1", "L", "LA", "La"}
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
FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "GIF")  # for others, such as EPS, PIL runs programs
MOST_PIXELS = 2**26  # 8192x8192; several pictures are decoded at once
Resize = Literal["crop", "pad", "squash"]
RESIZES: tuple[Resize, ...] = get_args(Resize)


def damaged(name: str | os.PathLike[str], error: Exception) -> InputError:
    """One line about a file that could not be read."""
    return InputError(f"{name} is damaged: {one_line(error)}")


def is_picture(path: str) -> bool:
    """Whether a path, relative to its folder or archive, is of a picture and not hidden."""
    hidden = any(part.startswith(".") for part in Path(path).parts)
    return not hidden and Path(path).suffix.lower() in SUFFIXES


def open_picture(file: io.BytesIO | io.BufferedReader) -> ImageFile.ImageFile:
    """A picture that is not decoded yet, of a size that memory allows.

    Raises:
        ValueError: it has more than MOST_PIXELS.
        Exception: whatever PIL makes of a damaged one.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of sizes that are refused here
        picture = Image.open(file, formats=FORMATS)
    if picture.width * picture.height > MOST_PIXELS:
        size = f"{picture.width}x{picture.height}"
        raise ValueError(f"{size} are more than the {MOST_PIXELS:,} pixels that are read")
    return picture


def upright(file: Path | io.BytesIO, name: str | os.PathLike[str]) -> Image.Image:
    """The picture as viewers show it: turned as its EXIF data say.

    Raises:
        InputError: it is damaged, not of 8 bits or animated.
    """
    try:
        with _opened(file) as content, open_picture(content) as picture:
            deep = picture.mode.startswith(DEEP) or any(t[3] in DEEP_PNG for t in picture.tile)
            # MPO: a JPEG with another picture behind it, such as a preview
            animated = getattr(picture, "is_animated", False) and picture.format != "MPO"
            picture.load()
            turn = TURNS.get(picture.getexif().get(ExifTags.Base.Orientation, 1))
            turned = picture if turn is None else picture.transpose(turn)
    except UnidentifiedImageError as error:
        raise InputError(f"{name} is damaged: not a picture ({', '.join(FORMATS)})") from error
    except Exception as error:  # whatever PIL makes of a damaged picture
        raise damaged(name, error) from error
    if deep:
        raise InputError(f"{name} has more than 8 bits per colour; save it with 8")
    if animated:
        raise InputError(f"{name} is animated; give single pictures")
    return turned


def _opened(
    file: Path | io.BytesIO,
) -> AbstractContextManager[io.BytesIO | io.BufferedReader]:
    if isinstance(file, io.BytesIO):
        return nullcontext(file)
    return files.opened(file, files.LARGEST_PICTURE)


def opaque(picture: Image.Image, name: str | os.PathLike[str]) -> Image.Image:
    """A picture from `upright` without its alpha: of mode L if it is grey, else RGB.

    Raises:
        InputError: it is partly transparent, or damaged.
    """
    mode, opacity = "L" if picture.mode in GREY else "RGB", 255
    try:
        if "A" in picture.getbands() or "transparency" in picture.info:
            picture = picture.convert("RGBA")
            opacity = np.asarray(picture.getchannel("A")).min()
        plain = picture.convert(mode)
    except Exception as error:  # of pixels that are decoded only now
        raise damaged(name, error) from error
    if opacity < 255:
        raise InputError(f"{name} is partly transparent; give opaque pictures")
    return plain


def pixels(picture: Image.Image, channels: int) -> UInt8[np.ndarray, "h w c"]:
    """Of a picture from `opaque`; colours become grey (ITU-R 601) where one channel is wanted."""
    array = np.asarray(picture.convert(MODES[channels]))
    return array.reshape(picture.height, picture.width, channels)


def read_each(
    read: Callable[[int], UInt8[np.ndarray, "h w c"]],
    numbers: Int[np.ndarray, " b"],
    shape: tuple[int, int, int],
) -> UInt8[np.ndarray, "b h w c"]:
    """The pixels of pictures by number, several at a time; raises as `read`."""
    images = np.empty((len(numbers), *shape), np.uint8)

    def put(place: int) -> None:
        images[place] = read(int(numbers[place]))

    with ThreadPoolExecutor() as pool:  # decoding does not hold Python's lock
        list(pool.map(put, range(len(numbers))))
    return images


def square(picture: Image.Image, side: int, resize: Resize) -> Image.Image:
    """A picture from `opaque` as a square of this many pixels a side, by Lanczos's filter.

    Args:
        resize: crop: its largest central square; pad: the whole of it on black; squash: the whole
            of it, distorted.
    """
    if picture.size == (side, side):
        return picture
    width, height = picture.size
    filter = Image.Resampling.LANCZOS
    if resize == "squash":
        return picture.resize((side, side), filter)
    if resize == "crop":
        edge = min(width, height)
        left, top = (width - edge) // 2, (height - edge) // 2
        box = (left, top, left + edge, top + edge)
        return picture.resize((side, side), filter, box)
    largest = max(width, height)
    inner = [max(1, round(each * side / largest)) for each in (width, height)]
    whole = Image.new(picture.mode, (side, side))
    place = ((side - inner[0]) // 2, (side - inner[1]) // 2)
    whole.paste(picture.resize((inner[0], inner[1]), filter), place)
    return whole
