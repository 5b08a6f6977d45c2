"""With which noise every command makes images, and whether its labels allow that."""

import importlib
import subprocess
import sys

import pytest
from absl.flags import FlagValues

from ganfail_jax.errors import InputError
from ganfail_jax.studies.subject import check_labelled_noise
from tests import tiny
from tests.analyze.commands import ENVIRONMENT, ROOT

BY_DEFAULT = {  # of every command that makes images
    "random": (
        *("rank", "describe", "histograms", "embed", "accuracy", "compare", "evaluate"),
        *("benchmark", "report"),
    ),
    "const": (
        *("shift", "corner_cases", "rates", "detect", "heatmaps", "ablate", "table", "inspect"),
        *("units", "defects", "correct", "d_values", "label", "artifact_classifier"),
        "links",
    ),
}
COMMANDS = [
    *sorted((ROOT / "analyze").glob("[!_]*.py")),
    ROOT / "train" / "artifact_classifier.py",
]


def noise_of(path):
    """The default of a command; None: it has no generator."""
    flags = FlagValues()
    importlib.import_module(f"{path.parent.name}.{path.stem}").define(flags)
    return flags["noise"].default if "generator" in flags else None


def test_every_command_that_makes_images_says_with_which_noise():
    defaults = {path.stem: noise_of(path) for path in COMMANDS if path.stem != "convert"}
    assert {name: noise for name, noise in defaults.items() if noise} == {
        name: noise for noise, names in BY_DEFAULT.items() for name in names
    }


@pytest.mark.parametrize(
    "command",
    [("analyze.d_values", "--discriminator=mnist_c_discriminator"), ("train.artifact_classifier",)],
    ids=lambda command: command[0],
)
def test_a_command_of_labelled_images_refuses_other_noise(command, tmp_path):
    labels = ROOT / "analyze" / "labels" / "mnist_c_v1.csv"
    args = ("--generator=mnist_c_v1", f"--labels={labels}", "--noise=random")
    done = subprocess.run(
        [sys.executable, "-m", *command, *args],
        cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == (
        "error: labels are of images with constant noise, not --noise=random: leave it out\n"
    )
    assert not list(tmp_path.iterdir())


def test_labels_are_of_images_with_constant_noise():
    generator = tiny.models().generator
    check_labelled_noise(generator.with_noise("const"))
    with pytest.raises(InputError, match="constant noise, not --noise=random: leave it out"):
        check_labelled_noise(generator.with_noise("random"))
    check_labelled_noise(generator._replace(has_noise=False, noise="none"))
