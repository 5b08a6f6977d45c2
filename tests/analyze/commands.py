"""Entry points as a user calls them, in a process of their own."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def command(analysis, *args):
    return [sys.executable, "-m", f"analyze.{analysis}", *map(str, args)]


def run(analysis, *args, cwd):
    """Run `python -m analyze.<analysis>` to its end."""
    called = command(analysis, *args)
    return subprocess.run(
        called, cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, timeout=300
    )
