"""Flags that name classifiers, and say how images enter those of a function or of a file."""

from collections.abc import Mapping
from typing import Any

from absl.flags import DEFINE_enum, DEFINE_list, FlagValues

from ganfail_jax import files
from ganfail_jax.cli.paths import DEFINE_path, DEFINE_paths
from ganfail_jax.errors import InputError
from ganfail_jax.nn.wrapped import LAYOUTS, OUTPUTS, RESIZES

OWN = "package.module:factory, a function of yours that is imported and run"
FILES = ".onnx, torchvision's .pth, Keras' .keras"
NUMBERS = {"input_size": "size", "input_range": "range", "mean": "mean", "std": "std"}
CHOICES = {"layout": "layout", "input_resize": "resize", "outputs": "outputs"}
ENTRY = {*NUMBERS, *CHOICES, "input_channels", "class_names"}  # flags of how images enter one


def define_classifier(flags: FlagValues, use: str) -> None:
    """
    Args:
        use: what it is for, or which it is by default.
    """
    text = f"Classifier: bundled name, folder, file ({FILES}), or {OWN} ({use})."
    DEFINE_path("classifier", None, text, flag_values=flags)
    _define_entry(flags)


def define_classifiers(flags: FlagValues) -> None:
    """Several."""
    text = (
        f"Classifiers, by commas: bundled names, folders, files ({FILES}), or {OWN} (default: all "
    )
    DEFINE_paths("classifiers", None, f"{text}that the dataset has).", flag_values=flags)
    _define_entry(flags)


def _define_entry(flags: FlagValues) -> None:
    """What `nn.wrapped.wrap` takes, for functions and files."""
    own = "Of a classifier that is a function or a file: "
    text = f"{own}its images' size, such as 224 or 224,192 (rows, columns; default: as they come)."
    DEFINE_list("input_size", None, text, flag_values=flags)
    text = f"{own}its pixels, black and white, such as -1,1 (default: 0,1)."
    DEFINE_list("input_range", None, text, flag_values=flags)
    text = f"{own}the mean of pixels in this range, one number or one per channel (default: 0)."
    DEFINE_list("mean", None, text, flag_values=flags)
    text = f"{own}by which they are divided then, one number or one per channel (default: 1)."
    DEFINE_list("std", None, text, flag_values=flags)
    text = f"{own}1 or 3; grey is repeated, colour becomes its luma (default: as images come)."
    DEFINE_enum("input_channels", None, ["1", "3"], text, flag_values=flags)
    text = f"{own}order of the axes of a batch (default: NCHW for PyTorch and ONNX, else NHWC)."
    DEFINE_enum("layout", None, LAYOUTS, text, flag_values=flags)
    text = f"{own}how images come to --input_size; pad: with black (default: bilinear)."
    DEFINE_enum("input_resize", None, RESIZES, text, flag_values=flags)
    text = f"{own}what it returns (default: logits)."
    DEFINE_enum("outputs", None, OUTPUTS, text, flag_values=flags)
    text = f"{own}text file of its class names, one per line (default: 0, 1, ...)."
    DEFINE_path("class_names", None, text, flag_values=flags)


def entry_from(flags: FlagValues) -> Mapping[str, Any]:
    """Arguments of `wrap`, of the flags that are given.

    Raises:
        InputError: something else than numbers, or an unreadable file of names.
    """
    given = dict[str, Any]()
    values = flags.flag_values_dict()
    for flag, name in NUMBERS.items():
        if values[flag] is not None:
            given[name] = _numbers(flag, values[flag], whole=flag == "input_size")
    given |= {name: values[flag] for flag, name in CHOICES.items() if values[flag] is not None}
    if flags.input_channels is not None:
        given["channels"] = int(flags.input_channels)
    if flags.class_names is not None:
        given["class_names"] = read_names(flags.class_names)
    return given


def _numbers(flag: str, texts: list[str], whole: bool) -> list[int] | list[float]:
    try:
        numbers = [*map(int if whole else float, texts)]
    except ValueError as error:
        kind = "whole numbers" if whole else "numbers"
        raise InputError(f"--{flag}={','.join(texts)}: {kind} are wanted") from error
    return numbers * 2 if whole and len(numbers) == 1 else numbers


def read_names(file: str) -> tuple[str, ...]:
    """The lines of a text file.

    Raises:
        InputError: it cannot be read, or two lines are the same, or one is empty.
    """
    try:
        lines = files.read(file, files.LARGEST_TABLE).decode("utf-8").splitlines()
    except (OSError, ValueError) as error:
        not_text = isinstance(error, UnicodeDecodeError)
        reason = "it is not text" if not_text else getattr(error, "strerror", None) or error
        raise InputError(f"--class_names={file} cannot be read: {reason}") from error
    names = tuple(line.strip() for line in lines)
    if "" in names or len({*names}) < len(names) or not names:
        raise InputError(f"--class_names={file}: one name per line, each another, is wanted")
    return names
