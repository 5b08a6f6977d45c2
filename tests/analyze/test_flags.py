"""Flags that list whole numbers: what they take, and what they refuse in one line."""

import re
from types import SimpleNamespace

import pytest

from analyze import flags as common
from ganfail_jax.errors import InputError
from tests.analyze.commands import ROOT


@pytest.fixture
def numbers(monkeypatch):
    def numbers(texts):
        monkeypatch.setattr(common, "FLAGS", {"units": SimpleNamespace(value=texts)})
        return common.whole_numbers("units", "units count from 0")

    return numbers


def test_whole_numbers_in_the_order_given(numbers):
    assert numbers(["7", "0", "007", str(2**31 - 1)]) == [7, 0, 7, 2**31 - 1]
    assert numbers(None) is None


@pytest.mark.parametrize("text", ["", "x", "-1", "1.0", "1_0", " 3", "+3", "²", "٣", str(2**31)])
def test_what_is_no_whole_number_is_refused(text, numbers):
    message = f"--units has {text!r}; units count from 0"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        numbers(["1", text])


def test_an_empty_list_is_refused(numbers):
    with pytest.raises(InputError, match="--units is empty; give some, or leave it out"):
        numbers([])


FIXED = (*("defects", "correct", "d_values", "label"), "artifact_classifier")
BY_DEFAULT = {  # of every command that makes images
    "random": ("rank", "histograms", "embed", "accuracy", "compare", "evaluate", "benchmark"),
    "const": (
        *("shift", "corner_cases", "rates", "detect", "heatmaps", "ablate", "table", "inspect"),
        *("units", *FIXED),
    ),
}


@pytest.mark.parametrize(
    ("name", "noise"), [(name, noise) for noise, names in BY_DEFAULT.items() for name in names]
)
def test_every_command_that_makes_images_says_with_which_noise(name, noise):
    folder = "train" if name == "artifact_classifier" else "analyze"
    source = (ROOT / folder / f"{name}.py").read_text()
    assert f'common.define_noise("{noise}", ' in source
    if name in FIXED[2:]:  # the others by `artifacts.chosen`
        assert "common.check_labelled_noise(generator)" in source


def test_no_command_that_makes_images_is_left_out():
    told = {name for names in BY_DEFAULT.values() for name in names}
    making = {
        path.stem
        for path in (ROOT / "analyze").glob("*.py")
        if re.search(r"^common\.define_(generator|models)\(", path.read_text(), re.MULTILINE)
    }
    assert making - told == {"convert"}
