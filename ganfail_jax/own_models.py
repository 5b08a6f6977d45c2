"""Models of the user's own: `package.module:factory`, or a file of another framework.

A factory is the user's code and is run; a file is data, and nothing in it is run.
"""

import importlib
import os
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ganfail_jax.errors import InputError, one_line
from ganfail_jax.nn import keras_models, onnx_classifiers
from ganfail_jax.nn.functions import Function
from ganfail_jax.nn.wrapped import as_function, wrap
from ganfail_jax.types import Classifier, Generator, Params
from ganfail_jax.weights import torchvision

FACTORY = re.compile(r"[A-Za-z_]\w*(\.\w+)*:[A-Za-z_]\w*(\.\w+)*")
EXTRAS = ("torch", "keras")  # of pyproject.toml, by the package that they install
Shape = tuple[int, int, int]


READERS: Mapping[str, Callable[[Path], Function]] = {  # suffix of a file -> what reads it
    ".keras": keras_models.read,
    ".onnx": onnx_classifiers.read,
    ".pth": torchvision.read,
    ".pt": torchvision.read,
}


def is_factory(name: str) -> bool:
    """Whether a name is of the form `package.module:factory`."""
    return FACTORY.fullmatch(name) is not None


def is_own(name: str) -> bool:
    """Whether a classifier of this name is read here, not in the zoo."""
    return is_factory(name) or (Path(name).suffix in READERS and not Path(name).is_dir())


def load_classifier(
    name: str, image_shape: Shape, given: Mapping[str, Any]
) -> tuple[Classifier, Params]:
    """A factory's or a file's classifier, and its parameters.

    Args:
        image_shape: of the images that it will get, which a function takes as they are where
            nothing else is given.
        given: arguments of `wrap` that the user gives, such as size and mean.

    Raises:
        InputError: no such module, factory or file, one that fails or makes something else, or
            arguments for a classifier that says itself how images enter it.
    """
    if is_factory(name):
        made = call_factory(name)
        if isinstance(made, Classifier):
            made = made, None
        if isinstance(made, tuple) and len(made) == 2 and isinstance(made[0], Classifier):
            if given:
                raise InputError(
                    f"{name} makes a Classifier, which says itself how images enter it; leave out "
                    f"{', '.join(given)}"
                )
            return made
        function = _function_of(name, made)
    else:
        if not Path(name).is_file():
            raise InputError(f"no file {name}")
        function = READERS[Path(name).suffix](Path(name))
    outputs = function.entry.get("outputs")
    if outputs is not None and given.get("outputs", outputs) != outputs:
        raise InputError(f"{name} is known to end in {outputs}; leave out --outputs")
    height, width, channels = image_shape
    entry = {"size": (height, width), "channels": channels, **function.entry, **given}
    try:
        return wrap(function, **entry)
    except InputError as error:
        raise InputError(f"classifier {name}: {error}") from error


def load_generator(name: str) -> tuple[Generator, Params]:
    """A factory's generator, and its parameters.

    Raises:
        InputError: no such module or factory, or one that fails or makes something else.
    """
    made = call_factory(name)
    if isinstance(made, tuple) and len(made) == 2 and isinstance(made[0], Generator):
        return made
    raise InputError(f"{name} makes {_kind(made)}; a pair of a Generator and its params is wanted")


def call_factory(name: str) -> Any:
    """What the function that `package.module:factory` names returns.

    The module is imported, from the current directory too, and so is run.

    Raises:
        InputError: there is no such module or function, or it fails.
    """
    module_name, _, path = name.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    keras_models.choose_backend()
    try:
        factory = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if module_name == missing or module_name.startswith(f"{missing}."):
            where = "the current directory or the Python path"
            raise InputError(f"{name}: no module {missing!r} in {where}") from error
        extra = missing.partition(".")[0]
        get = f'; get it by `pip install "ganfail_jax[{extra}]"`' if extra in EXTRAS else ""
        text = f"{name}: {module_name} imports {missing!r}, which is missing{get}"
        raise InputError(text) from error
    except (Exception, SystemExit) as error:
        raise InputError(f"{name}: importing {module_name} fails with {_fault(error)}") from error
    for part in path.split("."):
        if not hasattr(factory, part):
            raise InputError(f"{name}: {module_name} has no {path!r}")
        factory = getattr(factory, part)
    if not callable(factory):
        raise InputError(f"{name} is {_kind(factory)}; a function that makes the model is wanted")
    try:
        return factory()
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    except (Exception, SystemExit) as error:
        raise InputError(f"{name}() fails with {_fault(error)}") from error


def _fault(error: BaseException) -> str:
    return f"{type(error).__name__}: {one_line(error)}"


def _kind(value: Any) -> str:
    return f"an object of type {type(value).__name__}"


def _function_of(name: str, made: Any) -> Function:
    if isinstance(made, tuple) and len(made) == 2 and callable(made[0]):
        return as_function(*made)
    if callable(made):
        return as_function(made)
    raise InputError(
        f"{name} makes {_kind(made)}; a Classifier with its params, or a function of images to "
        "logits is wanted"
    )
