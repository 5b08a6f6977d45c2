"""A ~ at the beginning of a path is the user's home, in every flag that takes a path."""

import importlib
import re

import pytest
from absl.flags import FlagValues

from ganfail_jax.cli.main import help_lines, parse
from tests.analyze.commands import ROOT

COMMANDS = [
    f"{folder}.{path.stem}"
    for folder in ("analyze", "train")
    for path in sorted((ROOT / folder).glob("[!_]*.py"))
]
OF_ANY = "Of a classifier that is a function or a file: "  # what the file holds, not where it is
PATH = re.compile(r"\b(folders?|files?|png|csv|weights to start from)\b", re.IGNORECASE)


def defined(name):
    module, flags = importlib.import_module(name), FlagValues()
    module.define(flags)
    return flags


@pytest.mark.parametrize("name", COMMANDS)
def test_the_home_is_found_in_every_path(name, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    flags = defined(name)
    texts = [n for n in flags if isinstance(flags[n].default, str | list | None)]
    helps = {n: flags[n].help.replace(OF_ANY, "") for n in texts}
    paths = [n for n in texts if PATH.search(helps[n]) and flags[n].flag_type() != "int"]
    assert paths
    for each in paths:
        parse(flags, [name, f"--{each}=~/a"])
        assert flags[each].value in ("/home/me/a", ["/home/me/a"]), each
    own = "\n".join(help_lines("", flags)).split("Flags")
    assert not [part for part in own if part.startswith(" about paths")]


def test_several_paths():
    flags = defined("analyze.compare")
    parse(flags, ["", "--classifiers=~nobody-of-this-name/a,b/~"])
    assert flags.classifiers == ["~nobody-of-this-name/a", "b/~"]
