"""Pictures in a folder are images by their numbers, or one line says which one does not fit."""

import os
import struct
import zlib

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps

from ganfail_jax.data.image_folder import read_folder
from ganfail_jax.errors import InputError

PNG_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}  # by colour type: grey, colours, both with alpha
UPRIGHT = {  # EXIF 2.3: by where row 0 and column 0 of what is stored belong
    1: lambda stored: stored,  # top and left
    2: lambda stored: stored[:, ::-1],  # top and right
    3: lambda stored: stored[::-1, ::-1],  # bottom and right
    4: lambda stored: stored[::-1],  # bottom and left
    5: lambda stored: stored.T,  # left and top
    6: lambda stored: stored.T[:, ::-1],  # right and top
    7: lambda stored: stored.T[::-1, ::-1],  # right and bottom
    8: lambda stored: stored.T[::-1],  # left and bottom
}
RNG = np.random.default_rng(0)


def write(path, *shape):
    pixels = RNG.integers(0, 256, shape, np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


def whole(*args, **options):
    images = read_folder(*args, **options)
    found = images.take(np.arange(images.shape[0]))
    assert found.shape == images.shape
    return found


def test_pictures_come_by_name_pixel_for_pixel(tmp_path):
    (tmp_path / "b").mkdir()
    second, first = write(tmp_path / "b" / "x.PNG", 4, 6, 3), write(tmp_path / "a.bmp", 4, 6, 3)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "folder.png").mkdir()
    np.testing.assert_array_equal(whole(tmp_path, (4, 6, 3)), [first, second])
    images = read_folder(tmp_path)
    np.testing.assert_array_equal(images.take(np.array([1, 1, 0])), [second, second, first])


def test_colours_become_grey_where_grey_is_asked_for_and_grey_becomes_colours(tmp_path):
    pixels = write(tmp_path / "grey.png", 4, 4)
    for shape in ((4, 4, 3), None):
        found = whole(tmp_path, shape)
        np.testing.assert_array_equal(found[0], np.repeat(pixels[..., None], 3, axis=2))
    np.testing.assert_array_equal(whole(tmp_path, (4, 4, 1))[0, ..., 0], pixels)
    colours = write(tmp_path / "grey.png", 4, 4, 3)
    luma = colours @ [0.299, 0.587, 0.114]  # ITU-R 601
    assert np.abs(whole(tmp_path, (4, 4, 1))[0, ..., 0] - luma).max() <= 1


def test_pictures_are_opened_only_when_they_are_looked_at(tmp_path):
    first = write(tmp_path / "a.png", 4, 6, 3)
    (tmp_path / "b.png").write_bytes(b"no picture")
    images = read_folder(tmp_path)
    assert images.shape == (2, 4, 6, 3)
    np.testing.assert_array_equal(images.take(np.array([0])), [first])
    with pytest.raises(InputError, match=r"b.png is damaged: "):
        images.take(np.array([1]))


def test_what_does_not_fit_is_named(tmp_path):
    with pytest.raises(InputError, match=r"there is no folder .*absent"):
        read_folder(tmp_path / "absent")
    with pytest.raises(InputError, match=r"no pictures \(.bmp, .jpeg, .jpg, .png, .webp\) in"):
        read_folder(tmp_path)
    write(tmp_path / "a.png", 4, 6, 3)
    with pytest.raises(InputError, match=r"a.png is 6x4, but 4x4 is wanted, like the generator"):
        whole(tmp_path, (4, 4, 3), like="the generator's images")
    write(tmp_path / "b.png", 4, 5, 3)
    with pytest.raises(InputError, match=r"b.png is 5x4, but 6x4 is wanted, like a.png$"):
        whole(tmp_path)
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:40])
    with pytest.raises(InputError, match=r"a.png is damaged: "):
        whole(tmp_path, (4, 6, 3))


def test_folders_that_are_links_other_formats_and_what_is_hidden_are_not_looked_at(tmp_path):
    folder, elsewhere = tmp_path / ".given", tmp_path / "elsewhere"
    for each in (folder / "b" / ".thumbs", elsewhere):
        each.mkdir(parents=True)
    seen = [write(folder / "a.png", 4, 6, 3), write(folder / "b" / "a.png", 4, 6, 3)]
    for path in (folder / "b" / ".thumbs" / "a.png", folder / "a.gif", elsewhere / "a.png"):
        write(path, 4, 6, 3)
    (folder / "._a.png").write_bytes(b"no picture")
    (folder / "linked").symlink_to(elsewhere)
    np.testing.assert_array_equal(whole(folder), seen)


def test_pictures_that_are_links_are_read_or_named(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    seen = write(tmp_path / "kept.png", 4, 6, 3)
    (folder / "a.png").symlink_to("../kept.png")
    np.testing.assert_array_equal(whole(folder), [seen])
    (folder / "notes.txt").symlink_to("absent.txt")
    assert read_folder(folder).shape == (1, 4, 6, 3)
    (folder / "b.png").symlink_to("../absent.png")
    with pytest.raises(InputError, match=r"b.png links to ../absent.png, which is not there"):
        read_folder(folder)


def test_a_pipe_is_named(tmp_path):
    write(tmp_path / "a.png", 4, 6, 3)
    os.mkfifo(tmp_path / "b.png")
    with pytest.raises(InputError, match=r"b.png is not a regular file"):
        read_folder(tmp_path)


def test_a_picture_of_more_pixels_than_memory_may_hold_is_refused_before_it_is_decoded(tmp_path):
    write(tmp_path / "a.png", 4, 6, 3)
    raw = (tmp_path / "a.png").read_bytes()
    for side, message in ((8_193, "8193x8193 are more than the 67,108,864 pixels"), (2**20, "")):
        header = b"IHDR" + struct.pack(">II", side, side) + raw[24:29]
        crc = struct.pack(">I", zlib.crc32(header))
        (tmp_path / "a.png").write_bytes(raw[:12] + header + crc + raw[33:])
        with pytest.raises(InputError, match=f"a.png is damaged: {message}"):
            read_folder(tmp_path)


def test_formats_that_other_programs_would_decode_are_refused(tmp_path):
    Image.fromarray(np.zeros((4, 6, 3), np.uint8)).save(tmp_path / "a.eps")
    (tmp_path / "a.eps").rename(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a.png is damaged: not a picture \(PNG, JPEG, BMP, "):
        read_folder(tmp_path)


def write_deep(path, colour_type):
    """A PNG of 4x6 pixels of 16 bits, which PIL does not write in colours."""
    rows = (b"\0" + b"\xff\x7f" * 6 * PNG_CHANNELS[colour_type]) * 4
    header = struct.pack(">IIBBBBB", 6, 4, 16, colour_type, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    parts = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    ]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


@pytest.mark.parametrize("colour_type", PNG_CHANNELS)
def test_pictures_of_16_bits_are_refused(colour_type, tmp_path):
    write_deep(tmp_path / "a.png", colour_type)
    with pytest.raises(InputError, match=r"a.png has more than 8 bits per colour; save it with 8"):
        whole(tmp_path)


def palette(colours):
    """A picture of 4x6 pixels 0, 1, 0, 1, ... and its colours."""
    numbers = np.arange(24, dtype=np.uint8).reshape(4, 6) % 2
    picture = Image.fromarray(numbers).convert("P")
    picture.putpalette(colours.tobytes())
    return picture, colours[numbers]


@pytest.mark.parametrize("suffix", ["png", "webp"])
@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_that_is_opaque_is_left_out_and_other_is_refused(channels, suffix, tmp_path):
    pixels = RNG.integers(0, 256, (4, 6, channels), np.uint8)
    pixels[..., -1] = 255
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(pixels).save(path, lossless=True)
    colours = np.broadcast_to(pixels[..., :-1], (4, 6, 3))
    np.testing.assert_array_equal(whole(tmp_path)[0], colours)
    luma = colours @ [0.299, 0.587, 0.114]
    assert np.abs(whole(tmp_path, (4, 6, 1))[0, ..., 0] - luma).max() <= 1
    pixels[1, 2, -1] = 254
    Image.fromarray(pixels).save(path, lossless=True)
    with pytest.raises(InputError, match="is partly transparent; give opaque pictures"):
        whole(tmp_path)


@pytest.mark.parametrize("transparency", [b"\xff\xff\x00", 2])
def test_transparent_colours_of_a_palette_matter_where_they_are_seen(transparency, tmp_path):
    picture, seen = palette(RNG.integers(0, 256, (3, 3), np.uint8))
    picture.save(tmp_path / "a.png", transparency=transparency)
    np.testing.assert_array_equal(whole(tmp_path)[0], seen)
    picture.putpixel((3, 2), 2)
    picture.save(tmp_path / "a.png", transparency=transparency)
    with pytest.raises(InputError, match=r"a.png is partly transparent; give opaque pictures"):
        whole(tmp_path)


def test_a_colour_that_counts_as_transparent(tmp_path):
    seen = np.arange(72, dtype=np.uint8).reshape(4, 6, 3)
    for colour in ((1, 2, 3), (3, 4, 5)):
        Image.fromarray(seen).save(tmp_path / f"{colour[0]}.png", transparency=colour)
    images = read_folder(tmp_path)
    np.testing.assert_array_equal(images.take(np.array([0]))[0], seen)
    with pytest.raises(InputError, match=r"3.png is partly transparent; give opaque pictures"):
        images.take(np.array([1]))


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_pictures_are_upright_as_viewers_show_them(suffix, orientation, tmp_path):
    path, exif = tmp_path / f"a.{suffix}", Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    stored = np.array([[0, 60, 120], [150, 180, 255]], np.uint8).repeat(16, 0).repeat(16, 1)
    Image.fromarray(stored).convert("RGB").save(path, exif=exif, quality=100)
    wanted = UPRIGHT[orientation](stored)
    assert np.abs(whole(tmp_path)[0] - wanted[..., None].astype(int)).max() < 8  # JPEG, WebP
    with Image.open(path) as picture:
        pillows = np.asarray(ImageOps.exif_transpose(picture))
    np.testing.assert_array_equal(whole(tmp_path, (*wanted.shape, 3))[0], pillows)


def test_exif_data_that_cannot_be_read_are_named(tmp_path):
    write(tmp_path / "a.png", 4, 6, 3)
    with Image.open(tmp_path / "a.png") as picture:
        picture.save(tmp_path / "a.png", exif=b"Exif\0\0MM\0-\0\0\0\b")
    with pytest.raises(InputError, match=r"a.png is damaged: not a TIFF file"):
        whole(tmp_path)


@pytest.mark.parametrize("suffix", ["png", "webp", "gif"])
def test_animated_pictures_are_refused(suffix, tmp_path):
    """Those of a suffix that is not looked at, too, where the name has another."""
    moving = [Image.fromarray(RNG.integers(0, 256, (4, 6, 3), np.uint8)) for _ in range(2)]
    moving[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=moving[1:])
    (tmp_path / f"a.{suffix}").rename(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a.png is animated; give single pictures"):
        whole(tmp_path)


def test_a_preview_behind_a_jpeg_is_no_animation(tmp_path):
    large, small = (Image.fromarray(RNG.integers(0, 256, (n, n, 3), np.uint8)) for n in (16, 8))
    large.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[small])
    with Image.open(tmp_path / "a.jpg") as stored:
        assert (stored.format, stored.size) == ("MPO", (16, 16))
        wanted = np.asarray(stored)
    np.testing.assert_array_equal(whole(tmp_path)[0], wanted)
