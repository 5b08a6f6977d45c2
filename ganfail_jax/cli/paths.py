"""Flags that name files and folders: a ~ at the beginning is the user's home."""

import os

from absl.flags import (
    DEFINE,  # pyright: ignore[reportPrivateImportUsage]
    ArgumentParser,
    FlagValues,
    ListParser,
    disclaim_key_flags,
)

disclaim_key_flags()  # --help lists the flags under the modules that define them by these functions


class _PathParser(ArgumentParser):
    def parse(self, argument: str) -> str:
        return os.path.expanduser(argument)  # a shell does it only at the beginning of a word


class _PathsParser(ListParser):
    def parse(self, argument: str | list[str]) -> list[str]:
        return [os.path.expanduser(each) for each in super().parse(argument)]


def DEFINE_path(name: str, default: str | None, text: str, *, flag_values: FlagValues) -> None:
    """A file, a folder, or a name that may be given instead."""
    DEFINE(_PathParser(), name, default, text, flag_values)


def DEFINE_paths(
    name: str, default: list[str] | None, text: str, *, flag_values: FlagValues
) -> None:
    """Several, by commas."""
    DEFINE(_PathsParser(), name, default, text, flag_values)
