"""A published checkpoint, whatever its format -> our weights. What is in the file is never run."""

import hashlib
import os
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import jax
import numpy as np

from ganfail_jax.nn import stylegan2
from ganfail_jax.weights import (
    genforce,
    npz_files,
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
    untrusted,
)
from ganfail_jax.weights.errors import WeightsError


@lru_cache(maxsize=8)
def _template(config: stylegan2.StyleGAN2Config) -> Any:
    return jax.eval_shape(lambda: stylegan2.init(config, jax.random.key(0)))


def _stylegan2(
    config: stylegan2.StyleGAN2Config, state: dict[str, np.ndarray]
) -> tuple[str, Any, dict[str, Any]]:
    return "stylegan2", config, store.names(nvidia.assign(state, _template(config)))


def _torch(raw: bytes) -> tuple[str, str, Any, dict[str, Any]]:
    arrays, beside = state_dicts.generator(torch_files.read(raw), len(raw))
    if pggan_names.is_genforce(arrays):
        return "genforce PGGAN", "pggan", *pggan_names.read_genforce(arrays)
    if rosinality.is_rosinality(arrays):
        state, remarks = rosinality.stylegan2_state(arrays, beside.get("latent_avg"))
        form = f"rosinality StyleGAN2{remarks}"
        return form, *_stylegan2(nvidia.infer_config(state, None), state)
    state = genforce.stylegan2_state(arrays)
    joint = "mapping.embed.weight" in state
    config = replace(nvidia.infer_config(state, None), joint_norm=joint)
    return "genforce StyleGAN2", *_stylegan2(config, state)


def _tensorflow(raw: bytes) -> tuple[str, str, Any, dict[str, Any]]:
    network = tensorflow_pickles.read(raw)
    if network.settings.keys() > {""}:
        return "TensorFlow StyleGAN2", *_stylegan2(*tensorflow_stylegan2.read(network))
    return "TensorFlow PGGAN", "pggan", *tensorflow_pggan.read(network)


def _read(raw: bytes, shards: bytearray | None) -> tuple[str, str, Any, dict[str, Any]]:
    """Format, kind of network, configuration, arrays by our names."""
    if shards is not None:
        arrays = tfjs_progan.arrays(tfjs.read(raw, shards))
        return "TF-Hub progan in TensorFlow.js", "pggan", *pggan_names.read_tfhub(arrays)
    if npz_files.is_npz(raw):
        arrays = npz_files.read(raw)
        if pggan_names.is_tfhub(arrays):
            return "TF-Hub progan npz", "pggan", *pggan_names.read_tfhub(arrays)
        raise WeightsError("an npz file, but not with the names of TF-Hub's progan")
    if torch_files.is_torch(raw):
        return _torch(raw)
    if tensorflow_pickles.is_tensorflow(raw):
        return _tensorflow(raw)
    if raw.startswith(b"\x80"):
        return "stylegan2-ada-pytorch", *_stylegan2(*nvidia_pickles.read(raw))
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
    with untrusted.refusals(path):
        raw = untrusted.contents(path)
        shards = tfjs.shards(raw, path.parent) if path.suffix == tfjs.SUFFIX else None
        form, kind, config, arrays = _read(raw, shards)
        # copies: what is kept shall not keep the file's bytes
        arrays = {name: np.array(a, np.float32, order="C") for name, a in arrays.items()}
        digest = hashlib.sha256(raw)
        digest.update(shards or b"")
    about = {"imported_from": path.name, "format": form}
    return store.Stored(kind, config.to_dict(), about, arrays, digest.hexdigest())
