"""One list of packages, in two places that tools read."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_requirements_are_those_of_the_package_and_its_tests():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    listed = [line for line in lines if line and not line.startswith("#")]
    assert listed == project["dependencies"] + project["optional-dependencies"]["test"]
