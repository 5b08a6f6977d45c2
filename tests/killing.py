"""Processes that are killed, without one: at a rename all stops, and no clean-up is done."""

import contextlib
import json
import os
from unittest import mock

VARYING = ("checkpoints/", "tensorboard/")  # names and times within
MOVES, REMOVALS = ("replace", "rename"), ("unlink", "remove", "rmdir")


class Killed(BaseException):
    """Takes the place of the end of the process."""


class Process:
    """Is killed before the rename of this number, counted from 0, if it comes that far.

    Nothing can be renamed or deleted afterwards. Open files are still closed, and with them locks
    are given back, as the system does.
    """

    def __init__(self, number):
        self.number, self.moved, self.dead = number, [], False

    @contextlib.contextmanager
    def running(self):
        with contextlib.ExitStack() as stack:
            for names, make in ((MOVES, self._move), (REMOVALS, self._removal)):
                for name in names:
                    stack.enter_context(mock.patch.object(os, name, make(getattr(os, name))))
            with contextlib.suppress(Killed):
                yield

    def _move(self, move):
        def moving(source, target, **where):
            self.dead = self.dead or len(self.moved) == self.number
            if self.dead:
                raise Killed
            self.moved.append(os.path.basename(target))
            move(source, target, **where)

        return moving

    def _removal(self, remove):
        return lambda *args, **where: None if self.dead else remove(*args, **where)


def kill_at_every_rename(work, folder):
    """Calls of `work(folder / number)` that are killed at each rename in turn, and made again.

    Returns what was renamed to in a call that was not killed, its folder, and those of the others.
    """
    folders = []
    while True:
        folders.append(folder / str(len(folders)))
        process = Process(len(folders) - 1)
        with process.running():
            work(folders[-1])
        if not process.dead:
            *killed, whole = folders
            return process.moved, whole, killed
        work(folders[-1])


def contents(folder):
    """Files by name, without what a clock tells."""
    files = {}
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.is_file() and not name.startswith(VARYING):
            files[name] = path.read_bytes()
    if "result.json" in files:
        summary = json.loads(files["result.json"])
        files["result.json"] = {k: v for k, v in summary.items() if k != "seconds"}
    return files


def check_kills(work, folder):
    """What was renamed to in a run that was not killed."""
    moved, whole, killed = kill_at_every_rename(work, folder)
    expected = contents(whole)
    assert not [name for name in expected if name.rpartition("/")[2].startswith(".")]
    for each in killed:
        assert contents(each) == expected
    assert len(killed) == len(moved)
    return moved
