"""Name or path -> network and weights: bundled, or a folder that a training run wrote."""

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax

from ganfail_jax import pinned
from ganfail_jax.errors import InputError, one_line
from ganfail_jax.names import printable
from ganfail_jax.nn import (
    artifact_classifier,
    classifiers,
    pggan,
    pggan_discriminator,
    small_resnet,
    stylegan2,
    stylegan2_discriminator,
)
from ganfail_jax.types import Classifier, Discriminator, Generator
from ganfail_jax.weights import importers, store, tfjs
from ganfail_jax.weights.errors import WeightsError

BUNDLED = Path(__file__).parent / "weights" / "bundled"
DISCRIMINATOR = "discriminator"
RUN_PARTS = {  # what a training run leaves, in order of preference
    "generator": ("best", "latest"),
    "classifier": ("best", "latest"),
    "CNN": ("best", "latest"),
    DISCRIMINATOR: (DISCRIMINATOR,),
}
GENERATORS = ("stylegan2", "pggan")
CLASSIFIERS = ("classifier", small_resnet.KIND, artifact_classifier.KIND)
DISCRIMINATORS = tuple(f"{kind}_{DISCRIMINATOR}" for kind in GENERATORS)
NETWORKS: dict[str, tuple[Callable[..., Any], Any]] = {  # kind -> configuration, module
    "stylegan2": (stylegan2.StyleGAN2Config, stylegan2),
    "pggan": (pggan.PGGANConfig, pggan),
    "stylegan2_discriminator": (
        stylegan2_discriminator.StyleGAN2DiscriminatorConfig,
        stylegan2_discriminator,
    ),
    "pggan_discriminator": (pggan_discriminator.PGGANDiscriminatorConfig, pggan_discriminator),
    "classifier": (classifiers.CNNConfig, classifiers),
    small_resnet.KIND: (small_resnet.SmallResNetConfig, small_resnet),
    artifact_classifier.KIND: (artifact_classifier.from_dict, artifact_classifier),
}
DRAWN = (1, 3)  # channels of images


class Defaults(NamedTuple):
    """The bundled models of a dataset."""

    generator: str
    classifiers: tuple[str, ...]  # the first is the one to characterise, all are compared


DEFAULTS = {"mnist_c": Defaults("mnist_c", ("mnist_c_corrupted", "mnist_c_clean"))}


def defaults(dataset: str) -> Defaults:
    """The bundled models of a dataset.

    Raises:
        InputError: there are none; the message lists the datasets that have some.
    """
    if dataset not in DEFAULTS:
        raise InputError(
            f"no bundled models for dataset {dataset!r}; there are some for "
            f"{', '.join(DEFAULTS)}, or give --generator and --classifier"
        )
    return DEFAULTS[dataset]


def bundled_names(kinds: tuple[str, ...]) -> list[str]:
    """Names of the bundled weights of these kinds of network."""
    folders = sorted(path for path in BUNDLED.glob("*") if store.is_weights_folder(path))
    return [path.name for path in folders if store.kind(path) in kinds]


def _stamp(path: Path) -> tuple[tuple[str, int, int], ...]:
    """What changes whenever the files of these weights do."""
    own = [path / name for name in (store.CONFIG, store.ARRAYS) if (path / name).exists()]
    files = path.parent.iterdir() if path.suffix == tfjs.SUFFIX else own or [path]  # with shards
    states = [(file.name, file.lstat()) for file in files]
    return tuple(sorted((name, state.st_mtime_ns, state.st_size) for name, state in states))


@functools.lru_cache(maxsize=8)
@pinned.settings()
def _load(path: Path, stamp: tuple[tuple[str, int, int], ...]) -> store.Stored:
    """The weights at a path, kept in memory while `stamp` tells that they are the same."""
    return importers.read(path) if path.is_file() else store.load(path)


def _read(name_or_path: str, kinds: tuple[str, ...], what: str) -> store.Stored:
    bundled = BUNDLED / name_or_path
    folder = Path(name_or_path)
    if os.sep not in name_or_path and store.is_weights_folder(bundled):
        folder = bundled
    elif os.path.exists(folder) and not (folder.is_dir() or folder.is_file()):
        raise WeightsError(f"{folder} is neither a folder nor a regular file")
    elif not os.path.exists(folder) and (os.sep in name_or_path or folder.suffix):
        raise WeightsError(f"no {what} {name_or_path}: there is no such file or folder")
    elif not folder.is_dir() and not (folder.is_file() and kinds is GENERATORS):
        names = ", ".join(bundled_names(kinds)) or "none"
        file = ", nor a published file" if kinds is GENERATORS else ""
        raise WeightsError(
            f"no {what} {name_or_path!r}: neither bundled ({names}) nor a training run's "
            f"folder{file}"
        )
    elif folder.is_dir():
        parts = [folder, *(folder / part for part in RUN_PARTS[what])]
        found = [part for part in parts if store.is_weights_folder(part)]
        if not found and kinds is GENERATORS and (folder / tfjs.MODEL).is_file():
            found = [folder / tfjs.MODEL]
        if not found:
            listed = " or ".join(f"{part}/" for part in RUN_PARTS[what])
            raise WeightsError(
                f"{folder} is no {what}: neither it nor its {listed} holds {store.CONFIG}"
            )
        folder = found[0]
    try:
        folder = folder.resolve()
        stored = _load(folder, _stamp(folder))
    except OSError as error:
        raise WeightsError(f"{folder} cannot be read: {error.strerror or error}") from error
    if stored.kind not in kinds:
        held = stored.kind if stored.kind in NETWORKS else "network of unknown kind"
        raise WeightsError(f"{folder} holds a {held}, not a {what}")
    return stored


def read_generator(name_or_path: str) -> store.Stored:
    """Configuration, provenance, arrays and hash of a generator."""
    return _read(name_or_path, GENERATORS, "generator")


def read_classifier(name_or_path: str) -> store.Stored:
    """Configuration, provenance, arrays and hash of a classifier."""
    return _read(name_or_path, CLASSIFIERS, "classifier")


def read_discriminator(folder: str) -> store.Stored:
    """Configuration, provenance, arrays and hash of a discriminator."""
    return _read(folder, DISCRIMINATORS, DISCRIMINATOR)


def _immutable(value: Any) -> Any:
    """What JSON gives, as configurations have it: tuples for lists."""
    if isinstance(value, dict):
        return {name: _immutable(each) for name, each in value.items()}
    return tuple(map(_immutable, value)) if isinstance(value, list) else value


@pinned.settings()
def _fill(stored: store.Stored, name: str) -> tuple[Any, Any]:
    """The configuration of a network and its variables, laid out as its module makes them."""
    make, network = NETWORKS[stored.kind]
    try:
        config = make(**_immutable(stored.config))
        template = jax.eval_shape(lambda: network.init(config, pinned.key(0)))
    except Exception as error:  # whatever a stranger's settings lead to
        reason = one_line(error)
        raise WeightsError(f"{name}: its {store.CONFIG} does not fit: {reason}") from error
    try:
        return config, store.assign(stored, template)
    except WeightsError as error:
        raise WeightsError(f"{name}: {error}") from error


def load_generator(name_or_path: str) -> tuple[Generator, Any]:
    """A generator and its variables.

    Raises:
        WeightsError: unknown name, no weights there, damaged or misfitting weights.
    """
    stored = read_generator(name_or_path)
    config, params = _fill(stored, name_or_path)
    generator = NETWORKS[stored.kind][1].build(config)
    if generator.image_shape[2] not in DRAWN:
        raise WeightsError(
            f"{name_or_path} makes images of {generator.image_shape[2]} channels; "
            "1 (grey) and 3 (RGB) can be drawn"
        )
    return generator, params


def load_classifier(name_or_path: str) -> tuple[Classifier, Any]:
    """A classifier and its parameters.

    Raises:
        WeightsError: unknown name, no weights there, damaged or misfitting weights.
    """
    stored = read_classifier(name_or_path)
    config, params = _fill(stored, name_or_path)
    names = stored.about.get("class_names", [*map(str, range(config.num_classes))])
    if not isinstance(names, list) or not all(isinstance(name, str | int) for name in names):
        raise WeightsError(f"{name_or_path}: its class_names are no list of names")
    names = tuple(printable(str(name)) for name in names)
    if len({*names}) < len(names):
        raise WeightsError(f"{name_or_path}: one of its class_names comes twice")
    return NETWORKS[stored.kind][1].build(config, names), params


def load_cnn(name_or_path: str) -> tuple[classifiers.CNNConfig, Any]:
    """The configuration and the parameters of a CNN, for a network that is built on it.

    Raises:
        WeightsError: as `load_classifier`, and for a classifier of another kind.
    """
    return _fill(_read(name_or_path, ("classifier",), "CNN"), name_or_path)


def load_discriminator(folder: str) -> tuple[Discriminator, Any]:
    """A training run's discriminator and its variables.

    Raises:
        WeightsError: no weights there, damaged or misfitting weights.
    """
    stored = read_discriminator(folder)
    config, params = _fill(stored, folder)
    return NETWORKS[stored.kind][1].build(config), params
