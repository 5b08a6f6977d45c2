"""Flags that list whole numbers: what they take, and what they refuse in one line."""

import re

import pytest
from absl.flags import DEFINE_list, FlagValues

from analyze import rank
from ganfail_jax.cli.flags import given_from, run_from, whole_numbers
from ganfail_jax.cli.training import MAY_DIFFER
from ganfail_jax.errors import InputError
from tests.analyze.commands import flags_of
from train import stylegan2


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


def test_settings_other_than_the_defaults_name_the_folder():
    same = {"batch_size": 7, "resume": False, "noise": "random", "seed": 0, "bootstrap": 100}
    assert run_from(flags_of(rank.define, **same)).given == {}
    run = run_from(flags_of(rank.define, **same | {"top": 20, "generator": "a/net"}))
    assert run.given == {"top": 20, "generator": "a/net"}
    assert str(run.folder("rank", "net", "c", 0)) == "runs/rank/net-c-0-top=20"


def test_a_training_run_that_is_made_longer_stays_in_its_folder():
    longer = {"total_kimg": 9.5, "learning_rate": 0.1, "ema_kimg": 3.0, "decay_kimg": 1.0}
    often = {"log_kimg": 2.0, "checkpoint_kimg": 2.0, "evaluate_kimg": 2.0, "sheet_kimg": 2.0}
    flags = flags_of(stylegan2.define, **longer, **often, batch_size=16, warmup_kimg=2.0)
    assert given_from(flags, MAY_DIFFER) == {"batch_size": 16, "warmup_kimg": 2.0}
