"""Folders, archives and arrays as datasets: their classes, splits, sizes, and what is refused."""

import io
import json
import os
import re
import threading
import weakref
import zipfile
import zlib

import numpy as np
import pytest
from PIL import ExifTags, Image

from ganfail_jax.data import stored
from ganfail_jax.data.pipelines import mirrored
from ganfail_jax.data.stored import Options, open_dataset
from ganfail_jax.errors import InputError

RNG = np.random.default_rng(0)
N = 120


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GANFAIL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "datasets"


def png(pixels, **options):
    with io.BytesIO() as file:
        Image.fromarray(pixels).save(file, "PNG", **options)
        return file.getvalue()


def write(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return folder


def pack(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            body = content if isinstance(content, bytes) else json.dumps(content)
            archive.writestr(name, body)
    return path


def noise(n=N, *shape):
    return RNG.integers(0, 256, (n, *(shape or (8, 8, 3))), np.uint8)


def both(where, **options):
    return [open_dataset(str(where), split, Options(**options)) for split in ("train", "test")]


def by_pixels(*datasets):
    """Class name of every picture, by its pixels."""
    return {
        image.tobytes(): dataset.class_names[label] if dataset.class_names else None
        for dataset in datasets
        for image, label in zip(dataset.images.whole(), dataset.labels, strict=True)
    }


PIXELS = noise()
PNGS = [png(image) for image in PIXELS]
KINDS = [f"{n * n // 400}" for n in range(N)]  # 0 to 35, unbalanced
NAMES = [f"{n // 50:05d}/img{n:08d}.png" for n in range(N)]
LABELS = {"labels": [[name, int(kind)] for name, kind in zip(NAMES, KINDS, strict=True)]}
CLASSES = {f"{kind}/{n}.png": PNGS[n] for n, kind in enumerate(KINDS)}
FLAT = {f"{n}.png": each for n, each in enumerate(PNGS)}
NVIDIA = dict(zip(NAMES, PNGS, strict=True))


def npz(path, **arrays):
    np.savez(path, **{"images": PIXELS, **arrays})
    return path


SOURCES = {
    "sub-folders": (lambda t: write(t / "set", CLASSES), True),
    "sub-folders in one": (
        lambda t: write(t / "set", {f"outer/{name}": each for name, each in CLASSES.items()}),
        True,
    ),
    "flat": (lambda t: write(t / "set", FLAT), False),
    "json": (lambda t: write(t / "set", {**NVIDIA, "dataset.json": LABELS}), True),
    "json without labels": (
        lambda t: write(t / "set", {**NVIDIA, "dataset.json": {"labels": None}}),
        False,
    ),
    "zip of sub-folders": (lambda t: pack(t / "set.zip", CLASSES), True),
    "zip, flat": (lambda t: pack(t / "set.zip", FLAT), False),
    "zip of NVIDIA's": (lambda t: pack(t / "set.zip", {**NVIDIA, "dataset.json": LABELS}), True),
    "zip of NVIDIA's without labels": (
        lambda t: pack(t / "set.zip", {**NVIDIA, "dataset.json": {"labels": None}}),
        False,
    ),
    "zip of a folder": (
        lambda t: pack(
            t / "set.zip",
            {f"a/b/{k}": v for k, v in {**NVIDIA, "dataset.json": LABELS}.items()}
            | {"__MACOSX/a/._x.png": b"", "a/b/notes.txt": b""},
        ),
        True,
    ),
    "npz": (lambda t: npz(t / "set.npz", labels=np.array(list(map(int, KINDS)))), True),
    "npz without labels": (lambda t: npz(t / "set.npz"), False),
}


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_gives_every_picture_with_its_class(source, tmp_path):
    make, has_classes = SOURCES[source]
    train, test = both(make(tmp_path))
    assert (train.name, train.images.shape[1:]) == ("set", (8, 8, 3))
    assert len(train.labels) + len(test.labels) == N
    assert 2 <= len(test.labels) <= 30  # a tenth
    kinds = KINDS if has_classes else [None] * N
    expected = {image.tobytes(): kind for image, kind in zip(PIXELS, kinds, strict=True)}
    assert by_pixels(train, test) == expected
    if has_classes:
        assert train.class_names == tuple(map(str, sorted(map(int, {*KINDS}))))


def test_the_split_is_by_content_never_by_name_or_order(tmp_path):
    renamed = {f"{999 - n}.png": each for n, each in enumerate(PNGS)}
    again = {f"copy{n}.png": each for n, each in enumerate(PNGS[:40])}  # pictures that come twice
    one, two = write(tmp_path / "a", FLAT), pack(tmp_path / "b.zip", {**renamed, **again})
    first, second = ([{*by_pixels(each)} for each in both(where)] for where in (one, two))
    assert first == second
    assert not first[0] & first[1]


def test_a_key_is_of_the_pixels_and_of_what_becomes_of_them(tmp_path):
    folder, archive = write(tmp_path / "a", CLASSES), pack(tmp_path / "b.zip", CLASSES)
    train, test = both(folder)
    same, _ = both(archive)
    small, _ = both(folder, resolution=4)
    padded, _ = both(folder, resolution=4, resize="pad")
    grey, _ = both(folder, channels=1)
    assert train.key == same.key
    assert train.identity["classes"] == same.identity["classes"]
    others = [test, small, padded, grey, train.select(np.arange(3)), mirrored(train)]
    assert len({train.key, *(each.key for each in others)}) == 7
    relabelled = {name.replace("35/", "34/"): each for name, each in CLASSES.items()}
    moved, _ = both(write(tmp_path / "c", relabelled))
    assert moved.identity["classes"] != train.identity["classes"]


def test_pictures_are_decoded_once_and_the_index_is_kept(tmp_path, cache, monkeypatch):
    folder = write(tmp_path / "set", FLAT)
    first, _ = both(folder)
    assert len([*cache.iterdir()]) == 1
    monkeypatch.setattr(stored, "_look", lambda source: pytest.fail("decoded again"))
    again, _ = both(folder)
    assert again.key == first.key
    monkeypatch.undo()
    monkeypatch.setenv("GANFAIL_CACHE", str(cache.parent))
    (folder / "0.png").write_bytes(PNGS[1])
    changed, _ = both(folder)
    assert changed.key != first.key
    for file in cache.iterdir():
        file.write_bytes(b"damaged")
    assert both(folder)[0].key == changed.key


def test_pictures_are_read_when_they_are_looked_at(tmp_path):
    folder = write(tmp_path / "set", FLAT)
    train, _ = both(folder)
    (folder / "0.png").unlink()
    names = sorted(FLAT)
    gone = stored.open_source(str(folder))
    assert len(gone.names) == len(names) - 1
    with pytest.raises(InputError, match=r"/0.png is damaged: .*No such file"):
        train.images.whole()
    (folder / "0.png").write_bytes(png(noise(1, 9, 9, 3)[0]))
    if len(train.labels) < N:
        with pytest.raises(InputError, match=r"/0.png has changed; run the command again"):
            train.images.whole()


def mixed():
    """Pictures of 16x8 and 8x16 pixels in many modes: an upright one, red above blue, for each."""
    red, blue = (255, 0, 0), (0, 0, 255)
    colours = np.array([[red, red], [blue, blue]], np.uint8).repeat(4, 0).repeat(8, 1)  # 8x16
    picture = Image.fromarray(colours)
    opaque = np.dstack([colours, np.full(colours.shape[:2], 255, np.uint8)])
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    files = {"rgb": {}, "rgba": {}, "p": {}, "exif": {"exif": exif}}
    pictures = {
        "rgb": picture,
        "rgba": Image.fromarray(opaque),
        "p": picture.quantize(4),
        "exif": Image.fromarray(np.rot90(colours)),  # stored lying
    }
    found = {}
    for name, options in files.items():
        with io.BytesIO() as file:
            pictures[name].save(file, "PNG", **options)
            found[f"{name}.png"] = file.getvalue()
    return colours, found


def test_modes_and_orientations_give_the_same_pixels(tmp_path):
    colours, files = mixed()
    levels = colours[..., 2]
    opaque = np.dstack([levels, np.full(levels.shape, 255, np.uint8)])
    grey = {"grey.png": png(levels), "la.png": png(opaque)}
    source = stored.open_source(str(write(tmp_path / "set", {**files, **grey})))
    for number, name in enumerate(source.names):
        picture = source.read(number)
        wanted = levels if name in grey else colours
        assert picture.mode == ("L" if name in grey else "RGB")
        np.testing.assert_array_equal(np.asarray(picture), wanted)
    assert all_images(tmp_path / "set").shape == (6, 8, 16, 3)  # some are in colours
    only = write(tmp_path / "grey", grey)
    assert stored.index_of(stored.open_source(str(only))).shapes.tolist() == [[8, 16, 1]] * 2


def all_images(where, **options):
    """Of both splits, in the order of the source; a split of few pictures may be empty."""
    source = stored.open_source(str(where))
    numbers = np.arange(len(source.names))
    shape = stored._shape(source, stored.index_of(source), numbers, Options(**options))
    return stored._images(source, numbers, shape, options.get("resize")).whole()


def test_resizing(tmp_path):
    wide = np.zeros((8, 16, 3), np.uint8)
    wide[:, :4], wide[:, 4:12], wide[:, 12:] = 50, 100, 150
    folder = write(
        tmp_path / "set", {"wide.png": png(wide), "tall.png": png(np.swapaxes(wide, 0, 1))}
    )
    with pytest.raises(InputError, match=r"wide.png is 16x8, but tall.png is 8x16; give --resolu"):
        both(folder)

    def made(resize):
        tall, wide = all_images(folder, resolution=8, resize=resize)
        np.testing.assert_array_equal(tall, np.swapaxes(wide, 0, 1))
        return wide

    assert (made("crop") == 100).all()  # the central square
    bands = np.repeat([50, 100, 100, 150], 2)  # Lanczos's filter overshoots by a few levels
    padded = made("pad")[..., 0].astype(int)
    assert not padded[[0, 1, 6, 7]].any()
    assert np.abs(padded[2:6] - bands).max() <= 5
    assert np.abs(made("squash")[..., 0].astype(int) - bands).max() <= 5


def bad_pictures(tmp_path):
    clear = np.full((8, 8, 4), 100, np.uint8)
    deep = Image.fromarray(np.full((8, 8), 40_000, np.uint16))
    with io.BytesIO() as file:
        deep.save(file, "PNG")
        sixteen = file.getvalue()
    bad = {"b.png": PNGS[0][:60], "c.png": b"text", "d.png": png(clear), "e.png": sixteen}
    return write(tmp_path / "set", {**FLAT, **bad, "f.png": b""}), 5


def test_bad_pictures_are_named_or_counted(tmp_path):
    folder, n = bad_pictures(tmp_path)
    with pytest.raises(InputError) as refused:
        both(folder)
    assert str(refused.value).startswith(f"{folder}/b.png is damaged: ")
    assert str(refused.value).endswith(
        f"; bad pictures: {n} of {N + n}, which --skip_bad leaves out"
    )
    assert "\n" not in str(refused.value)
    train, test = both(folder, skip_bad=True)
    assert {*by_pixels(train, test)} == {image.tobytes() for image in PIXELS}
    assert train.source.endswith(f"; bad pictures left out: {n}")
    assert train.key is not None
    assert train.key.endswith(f", bad pictures left out: {n}")


def entry(name, body=PNGS[0]):
    return lambda t: pack(t / "set.zip", {**FLAT, name: body})


def listed(labels, files=NVIDIA):
    return lambda t: write(t / "set", {**files, "dataset.json": labels})


BAD = {
    "nothing": (lambda t: t / "absent.zip", "there is no dataset "),
    "no pictures": (lambda t: write(t / "set", {"a.txt": b""}), "no pictures (.bmp, "),
    "zip without pictures": (lambda t: pack(t / "set.zip", {"a.txt": b""}), "no pictures (.bmp"),
    "no zip": (lambda t: write(t, {"set.zip": b"text"}) / "set.zip", "set.zip is damaged: "),
    "no npz": (
        lambda t: write(t, {"set.npz": b"text"}) / "set.npz",
        "set.npz: truncated or damaged",
    ),
    "other file": (lambda t: write(t, {"set.tar": b"text"}) / "set.tar", "is not a dataset: give"),
    "outside": (entry("../a.png"), "has an entry outside of it: '../a.png'"),
    "absolute": (entry("/a.png"), "has an entry outside of it: '/a.png'"),
    "half in folders": (
        lambda t: write(t / "set", {**FLAT, "a/x.png": PNGS[0]}),
        "has pictures beside folders of pictures (0.png, a/x.png): put all into folders",
    ),
    "json damaged": (listed([1]), "dataset.json is damaged: "),
    "json nested": (
        lambda t: write(t / "set", {**FLAT, "dataset.json": b"[" * 100_000}),
        "dataset.json is damaged: ",
    ),
    "json incomplete": (listed({"labels": LABELS["labels"][1:]}), f"has no class of {NAMES[0]}"),
    "json twice": (
        listed({"labels": [*LABELS["labels"], LABELS["labels"][3]]}),
        f"names {NAMES[3]} twice",
    ),
    "json of others": (
        listed({"labels": [*LABELS["labels"], ["x.png", 1]]}),
        "names x.png, which is not there",
    ),
    "json of vectors": (
        listed({"labels": [[name, [0.5, 0.5]] for name in NAMES]}),
        "a name and the number of its class are wanted",
    ),
    "json of huge classes": (
        listed({"labels": [[name, 10**9] for name in NAMES]}),
        "a name and the number of its class are wanted",
    ),
    "npz of floats": (
        lambda t: npz(t / "set.npz", images=PIXELS / 255),
        "has images of shape (120, 8, 8, 3) and type float64; wanted are",
    ),
    "npz without images": (
        lambda t: (np.savez(t / "set.npz", x=PIXELS), t / "set.npz")[1],
        "has no array called images",
    ),
    "npz of objects": (
        lambda t: npz(t / "set.npz", labels=np.array([{}] * N)),
        "set.npz: an array of something else than plain numbers",
    ),
    "npz of few labels": (
        lambda t: npz(t / "set.npz", labels=np.zeros(3, int)),
        "has labels of shape (3,) and type int64; wanted is",
    ),
    "npz of few names": (
        lambda t: npz(t / "set.npz", labels=np.arange(N), class_names=np.array(["a"])),
        "has 1 class_names, but labels up to 119",
    ),
    "one picture": (lambda t: write(t / "set", {"a.png": PNGS[0]}), "is in the split t"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_is_one_line(kind, tmp_path):
    make, message = BAD[kind]
    where = make(tmp_path)
    with pytest.raises(InputError, match=re.escape(message)) as refused:
        both(where)
    assert "\n" not in str(refused.value)


def test_an_archive_that_claims_too_little_or_too_much_is_refused(tmp_path):
    """The sizes in the directory of the archive are what is read at most."""
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(10**6))
    raw = bytearray(path.read_bytes())
    place = raw.rindex(b"PK\x01\x02") + 24  # uncompressed size
    for size in (100, 2**31):
        raw[place : place + 4] = size.to_bytes(4, "little")
        path.write_bytes(raw)
        with pytest.raises(InputError, match=r"a.png (is damaged: |has more than )"):
            both(path)


def test_mirrored_images_follow_the_others(tmp_path):
    train, _ = both(write(tmp_path / "set", CLASSES))
    n, twice = len(train.labels), mirrored(train)
    assert twice.images.shape == (2 * n, 8, 8, 3)
    whole = train.images.whole()
    np.testing.assert_array_equal(twice.images.whole(), [*whole, *whole[:, :, ::-1]])
    np.testing.assert_array_equal(twice.labels, [*train.labels, *train.labels])
    np.testing.assert_array_equal(
        twice.images.take(np.array([n + 1, 1])), [whole[1, :, ::-1], whole[1]]
    )


def test_few_pictures_are_in_memory_while_all_are_looked_at(tmp_path, monkeypatch):
    source = stored.open_source(str(write(tmp_path / "set", FLAT)))
    alive, most, lock = [0], [0], threading.Lock()

    def forget():
        with lock:
            alive[0] -= 1

    def read(number):
        picture = source.read(number)
        weakref.finalize(picture, forget)
        with lock:
            alive[0] += 1
            most[0] = max(most[0], alive[0])
        return picture

    monkeypatch.setattr(os, "cpu_count", lambda: 2)  # 6 threads
    index = stored.index_of(source._replace(read=read))
    assert len({*map(bytes, index.digests)}) == N
    assert most[0] <= 2 * 6  # one in each thread, and the one before


def test_archives_and_pictures_that_claim_much_are_refused_before_they_are_decoded(tmp_path):
    path = tmp_path / "set.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", b"")
    raw = bytearray(path.read_bytes())
    place = raw.rindex(b"PK\x01\x02") + 24
    raw[place : place + 4] = (2**31).to_bytes(4, "little")
    path.write_bytes(raw)
    with pytest.raises(InputError, match=r"claim 2,147,483,648 bytes, of at most 268,435,456"):
        both(path)
    header = bytearray(png(np.zeros((8, 8), np.uint8)))
    header[16:24] = (9000).to_bytes(4, "big") * 2
    header[29:33] = zlib.crc32(header[12:29]).to_bytes(4, "big")
    with pytest.raises(
        InputError,
        match=r"a.png is damaged: 9000x9000 are more than .*; bad pictures: 1 of",
    ):
        both(write(tmp_path / "large", {"a.png": bytes(header)}))
