"""A folder of pictures as a source: flat, with sub-folders of classes, or with `dataset.json`."""

from pathlib import Path

from PIL import Image

from ganfail_jax import files
from ganfail_jax.data import sources
from ganfail_jax.data.image_folder import picture_paths
from ganfail_jax.data.pictures import opaque, upright
from ganfail_jax.data.sources import DATASET_JSON, LARGEST_JSON, Source
from ganfail_jax.errors import InputError


def open_folder(folder: Path) -> Source:
    """
    Raises:
        InputError: no pictures, or classes that cannot be made out.
    """
    paths = picture_paths(folder)
    names = [path.relative_to(folder).as_posix() for path in paths]
    listed = folder / DATASET_JSON
    if listed.is_file():
        with files.refusals(listed, InputError):
            raw = files.read(listed, LARGEST_JSON)
        classes = sources.classes_of_json(raw, names, str(listed))
    else:
        classes = sources.classes_of_names(names, str(folder))

    def read(number: int) -> Image.Image:
        path = paths[number]
        return opaque(upright(path, path), path)

    states = (path.stat() for path in paths)
    facts = ((s.st_size, s.st_mtime_ns, s.st_ctime_ns) for s in states)
    stamp = sources.stamp(zip(names, facts, strict=True))
    return Source(str(folder), names, read, *classes, stamp)
