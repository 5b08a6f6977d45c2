"""Flags choose two sets of images; what contradicts itself or does not fit is one line."""

import re

import numpy as np
import pytest
from PIL import Image

from analyze.evaluate import define
from ganfail_jax.cli import images as under_test
from ganfail_jax.errors import InputError
from tests.analyze.commands import flags_of, run

RNG = np.random.default_rng(0)


@pytest.fixture
def choose(loads):
    def choose(**given):
        given = {"metrics": ["fid", "kid"]} | given
        return under_test.comparison_from(flags_of(define, **given))

    return choose


def pictures(folder, n, *shape):
    folder.mkdir()
    pixels = RNG.integers(0, 256, (n, *shape), np.uint8)
    for i, image in enumerate(pixels):
        Image.fromarray(image).save(folder / f"{i}.png")
    return str(folder)


@pytest.fixture
def grey(tmp_path):
    return pictures(tmp_path / "grey", 5, 8, 8)


@pytest.fixture
def colours(tmp_path):
    return pictures(tmp_path / "colours", 7, 6, 9, 3)


def test_two_folders_of_other_sizes_and_all_their_pictures(grey, colours, choose, capsys):
    found = choose(generated=grey, images=colours)
    warning = (
        "warning: pictures of grey are 8x8, of colours 9x6: features depend on the size; resize "
        "one set"
    )
    assert capsys.readouterr().out.splitlines()[2:] == [warning]
    assert found.metrics == {"fid": 5, "kid": 5}
    assert found.generated.images.shape == (5, 8, 8, 3)
    assert found.real.images.shape == (7, 6, 9, 3)
    assert (found.subject, found.names) == ("pictures grey", ("grey", "colours"))
    assert found.identity == {"generated": "grey", "generated_images": found.generated.key}
    assert found.features.name == "inception None"
    swapped = choose(generated=f"{colours}/", images=f"{grey}/.")
    assert (swapped.generated.key, swapped.real.key) == (found.real.key, found.generated.key)
    assert swapped.names == ("colours", "grey")
    assert "warning: pictures of colours are 9x6, of grey 8x8: " in capsys.readouterr().out
    choose(generated=grey, images=grey)
    assert "warning" not in capsys.readouterr().out


def test_fewer_pictures_are_of_all_subfolders(grey, tmp_path, choose, monkeypatch):
    folder = tmp_path / "classes"
    folder.mkdir()
    for name in ("a", "b"):
        pictures(folder / name, 20, 8, 8)

    def load(**given):
        found = choose(generated=str(folder), images=grey, **given)
        return found, found.generated.images.take(np.arange(found.generated.images.shape[0]))

    whole, by_name = load()
    assert whole.metrics == {"fid": 40, "kid": 40}
    names = [f"{each}/{number}.png" for each in "ab" for number in range(20)]
    for image, name in zip(by_name, sorted(names), strict=True):
        np.testing.assert_array_equal(image[..., 0], np.asarray(Image.open(folder / name)))
    given, images = load(num_samples=40)
    assert given.generated.key == whole.generated.key
    np.testing.assert_array_equal(images, by_name)
    fewer, few = load(num_samples=10)
    assert fewer.metrics == {"fid": 10, "kid": 10}
    places = [np.flatnonzero((by_name == image).all(axis=(1, 2, 3))) for image in few]
    numbers = np.concatenate(places)
    assert len(set(numbers)) == len(numbers) == 10
    assert 2 <= (numbers < 20).sum() <= 8  # of either subfolder
    more, many = load(num_samples=30)
    np.testing.assert_array_equal(many[:10], few)
    assert more.generated.key == fewer.generated.key != whole.generated.key
    monkeypatch.setattr(under_test, "requests", lambda *_: {"fid": 10, "kid": 40})
    both, images = load()  # FID takes the first of them
    np.testing.assert_array_equal(images[:30], many)
    assert both.generated.key == fewer.generated.key


def test_a_classifier_decides_the_size(grey, colours, folders, choose, capsys):
    given = {"classifier": str(folders / "classifier"), "features": "classifier"}
    found = choose(generated=grey, images=grey, **given)
    assert found.generated.images.shape == (5, 8, 8, 1)
    assert found.features.name == "classifier classifier features"
    with pytest.raises(InputError, match="is 9x6, but 8x8 is wanted, like the classifier's images"):
        choose(generated=grey, images=colours, **given)
    said = f"5 pictures in {grey}"  # without a size: none was seen yet
    assert capsys.readouterr().out.splitlines() == [said, said, said, f"7 pictures in {colours}"]


BAD = [
    ({"generator": "mnist_c"}, "--generated takes pictures, no generator: leave --generator out"),
    ({"truncation_psi": 0.5}, "no generator: leave --truncation_psi out"),
    ({"noise": "const"}, "no generator: leave --noise out"),
    ({"seed": 1}, "no generator: leave --seed out"),
    ({"dataset": "mnist_c"}, "--generated is compared with --images: leave --dataset out"),
    ({"mnist_dir": "x"}, "--generated is compared with --images: leave --mnist_dir out"),
    ({"images": None}, "give what to compare with: --images=FOLDER or --dataset=NAME"),
    ({"images": None, "dataset": "nope"}, "no dataset is called 'nope'"),
    ({"classifier": "x"}, "--classifier and --features=classifier go together"),
    ({"features": "classifier"}, "--classifier and --features=classifier go together"),
    ({"metrics": ["is"]}, "--metrics has 'is'"),
    (
        {"metrics": ["kid", "fid50k"]},
        "fid of 50,000 pictures is asked for, but {grey} has 5; --metrics=fid without "
        "--num_samples takes all",
    ),
    ({"num_samples": 6}, "fid of 6 pictures is asked for, but {grey} has 5;"),
    ({"generated": "absent"}, "there is no folder absent"),
    ({"generated": ""}, "there is no folder "),
    ({"images": "absent"}, "there is no folder absent"),
]


@pytest.mark.parametrize(("given", "message"), BAD, ids=lambda x: str(x)[:30])
def test_bad_input_is_one_line(given, message, grey, choose):
    with pytest.raises(InputError, match=re.escape(message.format(grey=grey))) as refused:
        choose(**{"generated": grey, "images": grey} | given)
    assert "\n" not in str(refused.value)


def test_an_empty_folder_of_real_pictures_is_not_the_dataset(tmp_path):
    done = run("evaluate", "--images=", cwd=tmp_path)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert "--images is empty; give a folder, or leave it out" in line
