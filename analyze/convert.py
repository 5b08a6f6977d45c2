"""Writes a published generator as our own weights folder, which loads faster.

python -m analyze.convert --generator=FILE --out=FOLDER
"""

from pathlib import Path

from absl import flags

from analyze import flags as common
from ganfail_jax import zoo
from ganfail_jax.errors import InputError
from ganfail_jax.results import ResultError
from ganfail_jax.weights import store

FLAGS = flags.FLAGS
common.define_generator()
flags.DEFINE_string("out", None, "Folder to write; it must not exist.")


def main() -> None:
    if not FLAGS.generator or not FLAGS.out:
        raise InputError("give --generator=FILE and --out=FOLDER")
    folder = Path(FLAGS.out)
    if folder.exists():
        raise InputError(f"{folder} exists already; choose another --out")
    _, params = zoo.load_generator(FLAGS.generator)
    stored = common.read_generator(FLAGS.generator)
    about = {**stored.about, "converted_from_sha256": stored.sha256}
    try:
        store.save(folder, stored.kind, stored.config, params, about)
    except OSError as error:
        raise ResultError(f"cannot write {folder} ({error.strerror or error})") from error
    print(f"{folder}: {stored.kind}, sha256 {store.load(folder).sha256}")


if __name__ == "__main__":
    common.run(main)
