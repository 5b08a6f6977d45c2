"""Our own form of weights: a folder with `config.json` (what network) and `weights.npz` (arrays).

Arrays are read without pickle, so a file of a stranger is data and never code. The bundled weights
and the `best/` and `latest/` of a training run have this form.

`config.json` names the SHA-256 of the arrays that it describes. While weights are replaced it also
holds, as "before", the description of those that are still there, so that a folder whose writer
was killed holds the old weights or the new ones, at any moment.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from ganfail_jax import files, npz
from ganfail_jax.results import file_hash, replace_file
from ganfail_jax.weights.errors import WeightsError, list_faults

CONFIG, ARRAYS = "config.json", "weights.npz"
HASH, BEFORE = "arrays_sha256", "before"  # in config.json
RATIO, BESIDE = 4, 2**24  # arrays have at most so many times the file's bytes, and so many beside


class Stored(NamedTuple):
    """A weights folder as read."""

    kind: str  # such as "stylegan2" or "classifier"
    config: dict[str, Any]  # of the network
    about: dict[str, Any]  # how it was made: dataset, images seen, measured quality
    arrays: dict[str, np.ndarray]  # path/of/variable -> float32
    sha256: str  # of the arrays' file


def names(tree: Any) -> dict[str, Any]:
    """The leaves of a tree of variables by path, such as `params/b0004_conv0/weight`."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {"/".join(str(key.key) for key in path): leaf for path, leaf in leaves}


def save(
    folder: str | os.PathLike[str],
    kind: str,
    config: Mapping[str, Any],
    variables: Any,
    about: Mapping[str, Any],
) -> None:
    """Write a weights folder, arrays in float32; a failure leaves what was there."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {name: np.asarray(leaf, np.float32) for name, leaf in names(variables).items()}
    with replace_file(folder / ARRAYS) as new:
        np.savez(new, allow_pickle=False, **arrays)
        text = {"kind": kind, "config": dict(config), "about": dict(about), HASH: file_hash(new)}
        before = _present(folder)
        if before is not None:
            _write_config(folder, {**text, BEFORE: before})
    _write_config(folder, text)


def _write_config(folder: Path, text: Mapping[str, Any]) -> None:
    with replace_file(folder / CONFIG) as new:
        new.write_text(json.dumps(text, indent=2) + "\n")


def settle(folder: str | os.PathLike[str]) -> None:
    """Forget weights that were replaced, where their writer was killed before it did."""
    folder = Path(folder)
    if is_weights_folder(folder) and len(_read_config(folder)) > 1:
        present = _present(folder)
        if present is not None:
            _write_config(folder, present)


def _present(folder: Path) -> dict[str, Any] | None:
    """The description of the weights in a folder; None: there are none, or damaged ones."""
    try:
        stored = load(folder)
    except WeightsError:
        return None
    about = {"kind": stored.kind, "config": stored.config, "about": stored.about}
    return {**about, HASH: stored.sha256}


def is_weights_folder(folder: str | os.PathLike[str]) -> bool:
    return (Path(folder) / CONFIG).is_file()


def kind(folder: str | os.PathLike[str]) -> str:
    """What network a weights folder holds, without reading the arrays."""
    return _read_config(Path(folder))[0][0]


Description = tuple[str, dict[str, Any], dict[str, Any], str | None]  # None: of any arrays


def _read_config(folder: Path) -> list[Description]:
    """Of the weights, and of those that they replace."""
    with files.refusals(folder / CONFIG, WeightsError):
        text = files.read_json(folder / CONFIG)
        texts = [text, text[BEFORE]] if BEFORE in text else [text]
        return [_description(each) for each in texts]


def _description(text: Mapping[str, Any]) -> Description:
    network, config, about = text["kind"], text["config"], text["about"]
    if (type(network), type(config), type(about)) != (str, dict, dict):
        raise TypeError("damaged: kind, config and about must be a text and two objects")
    return network, config, about, text.get(HASH)


def load(folder: str | os.PathLike[str]) -> Stored:
    """Read a weights folder.

    Raises:
        WeightsError: one line: the folder is none, or which of its files is damaged.
    """
    folder = Path(folder)
    if not is_weights_folder(folder):
        raise WeightsError(f"{folder} holds no weights: there is no {CONFIG} in it")
    file = folder / ARRAYS
    for _ in range(2):  # they may be replaced between the two files
        descriptions = _read_config(folder)
        arrays, sha256 = _read_arrays(file)
        for network, config, about, wanted in descriptions:
            if wanted in (None, sha256):
                return Stored(network, config, about, arrays, sha256)
    raise WeightsError(f"{file} was altered, or is of other weights than {CONFIG} describes")


def _read_arrays(file: Path) -> tuple[dict[str, np.ndarray], str]:
    """And the SHA-256 of the file."""
    with files.refusals(file, WeightsError):
        content = files.read(file)
        read = npz.read(content, RATIO * len(content) + BESIDE)
        if others := [name for name, array in read.items() if array.dtype.kind not in "fiu"]:
            raise WeightsError(f"{others[0]} holds {read[others[0]].dtype}, not numbers")
        arrays = {name: array.astype(np.float32, copy=False) for name, array in read.items()}
        return arrays, hashlib.sha256(content).hexdigest()


def assign(stored: Stored, template: Any) -> Any:
    """Fill a tree of variables shaped like `template`.

    Raises:
        WeightsError: listing all missing, unexpected, misshaped and not finite names.
    """
    wanted = names(template)
    faults = [f"missing {name}" for name in wanted if name not in stored.arrays]
    faults += [f"unexpected {name}" for name in stored.arrays if name not in wanted]
    for name, leaf in wanted.items():
        array = stored.arrays.get(name)
        if array is not None and array.shape != leaf.shape:
            faults.append(f"{name} has shape {array.shape}, wanted {leaf.shape}")
        elif array is not None and not np.isfinite(array).all():
            faults.append(f"{name} is not finite")
    if faults:
        raise list_faults(faults)
    arrays = [stored.arrays[name] for name in wanted]
    # not jnp.asarray, which compiles a program for every shape
    return jax.tree.unflatten(jax.tree.structure(template), jax.device_put(arrays, may_alias=False))


def params_hash(params: Any) -> str:
    """SHA-256 over the names, shapes, types and bytes of all arrays."""
    digest = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        array = np.ascontiguousarray(leaf)
        digest.update(f"{jax.tree_util.keystr(path)} {array.shape} {array.dtype}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
