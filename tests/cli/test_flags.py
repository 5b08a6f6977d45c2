"""Flags that list whole numbers: what they take, and what they refuse in one line."""

import re

import pytest
from absl.flags import DEFINE_list, FlagValues

from ganfail_jax.cli.flags import whole_numbers
from ganfail_jax.errors import InputError


def numbers(texts):
    flags = FlagValues()
    DEFINE_list("units", texts, "", flag_values=flags)
    return whole_numbers(flags, "units", "units count from 0")


def test_whole_numbers_in_the_order_given():
    assert numbers(["7", "0", "007", str(2**31 - 1)]) == [7, 0, 7, 2**31 - 1]
    assert numbers(None) is None


@pytest.mark.parametrize("text", ["", "x", "-1", "1.0", "1_0", " 3", "+3", "²", "٣", str(2**31)])
def test_what_is_not_a_whole_number_is_refused(text):
    message = f"--units has {text!r}; units count from 0"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        numbers(["1", text])


def test_an_empty_list_is_refused():
    with pytest.raises(InputError, match="--units is empty; give some, or leave it out"):
        numbers([])
