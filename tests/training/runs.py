"""Whole runs of tiny GANs, and what the tests of them share."""

import struct

import jax
import numpy as np
from tensorboardX.proto.event_pb2 import Event  # pyright: ignore[reportAttributeAccessIssue]

from ganfail_jax.training import loop
from ganfail_jax.training.loop import Judge, Schedule
from tests.training.tiny_gan import AUGMENTED, CONDITIONAL, GROWING, dataset

SCHEDULE = Schedule(log=0.008, checkpoint=0.016, evaluate=0.012, sheet=0.02)
STEPS = 10  # logged every 2, checkpointed every 4, measured every 3, and all of it at the end
CONFIGS = {"conditional": CONDITIONAL, "augmented": AUGMENTED, "growing": GROWING}


def data(config):
    return dataset(config.generator.resolution)


def train(config, folder, *, stop_step=None, **arguments):
    return jax.device_get(loop.train(prepare(config, folder, **arguments), stop_step))


def prepare(config, folder, **arguments):
    return loop.prepare(config, data(config), folder, schedule=SCHEDULE, **arguments)


def scores(*values, on=None):
    """A judge that gives these scores, one after the other."""
    sequence = iter(values)
    return Judge(lambda variables: {"score": next(sequence), "other": 5.0}, on)


def assert_identical(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


def fresh(config):
    """The state that a run starts from."""
    return jax.device_get(recipe(config).init(None, None))


def recipe(config):
    return loop.RECIPES[type(config)](config)


def interfere(monkeypatch, at, change):
    """After step `at` of every further run `change` acts on the state."""

    def with_change(make):
        def changed(config, mesh):
            made = make(config, mesh)

            def step(state, number, *inputs):
                state, metrics = made.step(state, number, *inputs)
                return (change(state) if number + 1 == at else state), metrics

            return made._replace(step=step)

        return changed

    for kind, make in loop.RECIPES.items():
        monkeypatch.setitem(loop.RECIPES, kind, with_change(make))


def kill(state):
    raise KeyboardInterrupt


def events(folder):
    """Every record of the event files, oldest first (TFRecord: length, crc, payload, crc)."""
    for path in sorted((folder / "tensorboard").iterdir(), key=lambda path: path.stat().st_mtime):
        raw, position = path.read_bytes(), 0
        while position < len(raw):
            (length,) = struct.unpack_from("<Q", raw, position)
            yield Event.FromString(raw[position + 12 : position + 12 + length])
            position += 12 + length + 4


def scalars(folder):
    """{tag: {images seen: value}}."""
    found = {}
    for event in events(folder):
        for value in event.summary.value:
            found.setdefault(value.tag, {})[event.step] = value.simple_value
    return found
