"""Random changes of files of every kind: they are refused in one line, or read all the same."""

import copy
import io
import json
import warnings
import zipfile
from typing import Any

import jax
import numpy as np
import pytest
from PIL import Image

from ganfail_jax import results, zoo
from ganfail_jax.analysis.rates import read_published
from ganfail_jax.data.image_folder import read_folder
from ganfail_jax.data.labels import read_labels
from ganfail_jax.errors import InputError
from ganfail_jax.nn import pggan
from ganfail_jax.studies import earlier
from ganfail_jax.types import LayerInfo
from ganfail_jax.weights import store

HOSTILE = [
    *(None, True, -1, 0, 1, 10**7, 2**64, 10**400, 0.5, float("nan"), float("inf"), "", "\0"),
    *("\x1b[31m", "\ud800", "x" * 10**5, [], {}, [[]], [10**7] * 3, {"a": 1}, [None] * 5),
]
CONFIG = pggan.PGGANConfig(8, 1, 3, 6, 32, 6)


def change_bytes(rng, raw):
    """Cut off, shortened, lengthened, or a few bytes of it replaced."""
    at, few = int(rng.integers(len(raw))), int(rng.integers(1, 16))
    match rng.integers(5):
        case 0:
            return raw[:at]
        case 1:
            return raw[:at] + raw[at + few :]
        case 2:
            return raw[:at] + rng.bytes(few) + raw[at:]
        case _:
            return raw[:at] + rng.bytes(few) + raw[at + few :]


def change_json(rng, raw):
    """One value anywhere replaced by a hostile one, or its bytes changed."""
    if rng.random() < 0.3:
        return change_bytes(rng, raw)
    content = json.loads(raw)
    whole: Any = [content]
    holder, key = whole, 0
    while isinstance(holder[key], dict | list) and holder[key] and rng.random() < 0.9:
        holder = holder[key]
        keys = [*holder] if isinstance(holder, dict) else range(len(holder))
        key = keys[int(rng.integers(len(keys)))]
    holder[key] = copy.deepcopy(HOSTILE[int(rng.integers(len(HOSTILE)))])
    return json.dumps(whole[0]).encode()


def change_header(rng, raw):
    """The header of one array of an archive changed, and its checksum with it."""
    written, victim = io.BytesIO(), int(rng.integers(3))
    with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(written, "w") as new:
        for i, name in enumerate(old.namelist()):
            body = old.read(name)
            if i == victim:
                body = change_bytes(rng, body[:128]) + body[128:]
            new.writestr(name, body)
    return written.getvalue()


def change_arrays(rng, raw):
    return (change_bytes if rng.random() < 0.5 else change_header)(rng, raw)


def weights(folder):
    template = jax.eval_shape(lambda: pggan.init(CONFIG, jax.random.key(0)))
    variables = jax.tree.map(lambda x: np.full(x.shape, 0.5, np.float32), template)
    about = {"class_names": ["a", "b", "c"]}
    store.save(folder / "weights", "pggan", CONFIG.to_dict(), variables, about)
    return folder / "weights"


def config_json(folder):
    path = weights(folder)
    return path / store.CONFIG, change_json, lambda: zoo.load_generator(str(path))


def weights_npz(folder):
    path = weights(folder)
    template = jax.eval_shape(lambda: pggan.init(CONFIG, jax.random.key(0)))

    def load():
        for leaf in jax.tree.leaves(store.assign(store.load(path), template)):
            np.testing.assert_array_equal(leaf, 0.5)  # what is read is what was written

    return path / store.ARRAYS, change_arrays, load


def result(folder):
    identity = {"seed": 0, "generator_sha256": "ab", "generator": "x", "layers": ["a", "b"]}
    arrays = {"counts": np.arange(96), "names": np.array(["a", "b"]), "score": np.ones(3)}
    results.save(folder / "run", {"answer": [1, {"a": None}]}, {"identity": identity}, arrays)
    return folder / "run", lambda: earlier.read(str(folder / "run"), "rates", identity)


def result_json(folder):
    path, load = result(folder)
    return path / results.SUMMARY, change_json, load


def result_npz(folder):
    path, load = result(folder)
    return path / results.ARRAYS, change_arrays, load


def labels_csv(folder):
    rows = [f"{i},0,{('normal', 'artifact', 'skip')[i % 3]},ab12" for i in range(30)]
    (folder / "a.csv").write_text("\n".join(["index,seed,label,generator", *rows]) + "\n")
    return folder / "a.csv", change_bytes, lambda: read_labels(folder / "a.csv", 0, "ab12cd")


def rates_npy(folder):
    np.save(folder / "a.npy", np.full(96, 0.5, np.float32))
    load = lambda: read_published(folder / "a.npy", LayerInfo(4, 6))  # noqa: E731
    return folder / "a.npy", change_bytes, load


def picture_png(folder):
    Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3)).save(folder / "a.png")
    return folder / "a.png", change_bytes, lambda: read_folder(folder).take(np.arange(1))


def refusal(load):
    try:
        load()
    except InputError as error:
        return str(error)


KINDS = [config_json, weights_npz, result_json, result_npz, labels_csv, rates_npy, picture_png]


@pytest.mark.parametrize("kind", KINDS)
def test_changed_files_are_refused_in_one_line_or_read(kind, tmp_path):
    path, change, load = kind(tmp_path)
    rng, original, refused = np.random.default_rng(0), path.read_bytes(), 0
    load()
    for _ in range(60):
        path.write_bytes(change(rng, original))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            if message := refusal(load):
                assert message.isprintable()
                assert len(message) < 1_500
                refused += 1
    assert refused > 20
