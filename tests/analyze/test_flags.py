"""Flags that list whole numbers: what they take, and what they refuse in one line."""

import re
from types import SimpleNamespace

import pytest

from analyze import flags as common
from ganfail_jax.errors import InputError


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
