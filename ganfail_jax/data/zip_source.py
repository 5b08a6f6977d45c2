"""A zip archive of pictures as a source; its entries are read when they are looked at.

Archives are not trusted: an entry is read up to the size that it claims, which is limited, and
nothing is written.
"""

import io
import threading
import zipfile
from pathlib import Path, PurePosixPath

from PIL import Image

from ganfail_jax import files
from ganfail_jax.data import sources
from ganfail_jax.data.pictures import SUFFIXES, damaged, is_picture, opaque, upright
from ganfail_jax.data.sources import DATASET_JSON, LARGEST_JSON, Source
from ganfail_jax.errors import InputError

MOST_ENTRIES = 10_000_000


def open_zip(path: Path) -> Source:
    """
    Raises:
        InputError: no archive, no pictures, entries that contradict each other or lie outside, or
            classes that cannot be made out.
    """
    try:
        archive = zipfile.ZipFile(path)
        members = [entry for entry in archive.infolist() if not entry.is_dir()]
        entries = {entry.filename: entry for entry in members}
    except Exception as error:  # whatever a damaged archive leads to: no file is trusted
        raise damaged(path, error) from error
    names = sorted(name for name in entries if is_picture(name))
    _check(path, [*entries], len(members))
    if not names:
        raise InputError(f"no pictures ({', '.join(sorted(SUFFIXES))}) in {path}")
    lock = threading.Lock()  # the archive has one position in its file

    def contents(name: str, most: int) -> bytes:
        entry = entries[name]
        if entry.file_size > most:
            raise InputError(f"{path}/{name} has more than {most:,} bytes")
        try:
            with lock, archive.open(entry) as file:
                return file.read(entry.file_size)  # without a number it may read more first
        except Exception as error:  # damaged, encrypted, or of an unknown compression
            raise damaged(f"{path}/{name}", error) from error

    def read(number: int) -> Image.Image:
        name = names[number]
        where = f"{path}/{name}"
        return opaque(upright(io.BytesIO(contents(name, files.LARGEST_PICTURE)), where), where)

    root = sources.common_folder(names)
    listed = [each for each in (root, *root.parents) if str(each / DATASET_JSON) in entries]
    if listed:
        own = str(listed[0] / DATASET_JSON)
        within = [PurePosixPath(name).relative_to(listed[0]).as_posix() for name in names]
        raw = contents(own, LARGEST_JSON)
        classes = sources.classes_of_json(raw, within, f"{path}/{own}")
    else:
        classes = sources.classes_of_names(names, str(path))
    state, facts = path.stat(), ((n, entries[n].file_size, entries[n].CRC) for n in names)
    stamp = sources.stamp([(state.st_size, state.st_mtime_ns, state.st_ctime_ns), *facts])
    return Source(str(path), names, read, *classes, stamp)


def _check(path: Path, names: list[str], total: int) -> None:
    if len(names) < total:
        raise InputError(f"{path} has two entries of one name")
    if total > MOST_ENTRIES:
        raise InputError(f"{path} has more than {MOST_ENTRIES:,} entries")
    for name in names:
        parts = PurePosixPath(name).parts
        if ".." in parts or name.startswith("/") or "\\" in name:
            raise InputError(f"{path} has an entry outside of it: {name!r}")
