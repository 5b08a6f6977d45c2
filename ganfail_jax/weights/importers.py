"""A published checkpoint, whatever its format -> our weights. What is in the file is never run."""

import hashlib
import os
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from ganfail_jax import files, npz, pinned
from ganfail_jax.nn import stylegan2
from ganfail_jax.weights import (
    genforce,
    nvidia,
    nvidia_pickles,
    pggan_names,
    rosinality,
    state_dicts,
    store,
    tensorflow_pggan,
    tensorflow_pickles,
    tensorflow_stylegan2,
    tfjs,
    tfjs_progan,
    torch_files,
)
from ganfail_jax.weights.errors import WeightsError

RATIO = 4  # by which weights may be compressed; zeros by more, but no network is all zeros


class Imported(NamedTuple):
    """What a file holds."""

    form: str  # its format, for a person
    kind: str  # of network
    config: Any
    arrays: dict[str, np.ndarray]  # by our names
    remarks: tuple[str, ...] = ()  # what the file left open, and how it was decided


@lru_cache(maxsize=8)
def _template(config: stylegan2.StyleGAN2Config) -> Any:
    return jax.eval_shape(lambda: stylegan2.init(config, pinned.key(0)))


def _stylegan2(
    form: str,
    config: stylegan2.StyleGAN2Config,
    state: dict[str, np.ndarray],
    remarks: tuple[str, ...] = (),
) -> Imported:
    arrays = store.names(nvidia.assign(state, _template(config)))
    return Imported(form, "stylegan2", config, arrays, remarks)


def _torch(raw: bytes) -> Imported:
    arrays, place = state_dicts.generator(torch_files.read(raw), len(raw))
    if pggan_names.is_genforce(arrays):
        config, ours = pggan_names.read_genforce(arrays)
        return Imported("genforce PGGAN", "pggan", config, ours, place.remarks)
    if rosinality.is_rosinality(arrays):
        state, remarks = rosinality.stylegan2_state(arrays, place.beside.get("latent_avg"))
        config = nvidia.infer_config(state, None)
        return _stylegan2("rosinality StyleGAN2", config, state, (*place.remarks, *remarks))
    state = genforce.stylegan2_state(arrays)
    joint = "mapping.embed.weight" in state
    config = replace(nvidia.infer_config(state, None), joint_norm=joint)
    return _stylegan2("genforce StyleGAN2", config, state, place.remarks)


def _tensorflow(raw: bytes) -> Imported:
    network = tensorflow_pickles.read(raw)
    if network.settings.keys() > {""}:
        config, state = tensorflow_stylegan2.read(network)
        return _stylegan2("TensorFlow StyleGAN2", config, state, network.remarks)
    return Imported("TensorFlow PGGAN", "pggan", *tensorflow_pggan.read(network), network.remarks)


def _read(raw: bytes, shards: bytearray | None) -> Imported:
    if shards is not None:
        arrays = tfjs_progan.arrays(tfjs.read(raw, shards))
        form = "TF-Hub progan in TensorFlow.js"
        return Imported(form, "pggan", *pggan_names.read_tfhub(arrays))
    if npz.is_npz(raw):
        arrays = npz.read(raw, RATIO * len(raw))
        if others := [name for name, array in arrays.items() if array.dtype.kind != "f"]:
            raise WeightsError(f"{others[0]} holds {arrays[others[0]].dtype}, no floats")
        if pggan_names.is_tfhub(arrays):
            return Imported("TF-Hub progan npz", "pggan", *pggan_names.read_tfhub(arrays))
        raise WeightsError("an npz file, but not with the names of TF-Hub's progan")
    if torch_files.is_torch(raw):
        return _torch(raw)
    if tensorflow_pickles.is_tensorflow(raw):
        return _tensorflow(raw)
    if raw.startswith(b"\x80"):
        return _stylegan2("stylegan2-ada-pytorch", *nvidia_pickles.read(raw))
    raise WeightsError(
        "no known format; known are NVIDIA's .pkl (PyTorch, TensorFlow), genforce's .pth, "
        "rosinality's .pt, TF-Hub's npz and the model.json of its TensorFlow.js"
    )


def read(path: str | os.PathLike[str]) -> store.Stored:
    """A generator from a file, with the hash of the file.

    Raises:
        WeightsError: one line: unknown format, damaged, or not a generator that we have.
    """
    path = Path(path)
    with files.refusals(path, WeightsError):
        is_json = path.suffix == tfjs.SUFFIX
        raw = files.read(path, files.LARGEST_JSON if is_json else files.LARGEST)
        shards = tfjs.shards(raw, path.parent) if is_json else None
        imported = _read(raw, shards)
        # copies: what is kept shall not keep the file's bytes
        arrays = {name: np.array(a, np.float32, order="C") for name, a in imported.arrays.items()}
        digest = hashlib.sha256(raw)
        digest.update(shards or b"")
    about = {"imported_from": path.name, "format": imported.form}
    if imported.remarks:
        about["remarks"] = "; ".join(imported.remarks)
    config = imported.config.to_dict()
    return store.Stored(imported.kind, config, about, arrays, digest.hexdigest())
