"""Counts of the tiny generator, in this process or in one or several of their own.

    python -m tests.counting MODE FOLDER [COORDINATOR PROCESS]

MODE "die": write `found.npz`, then start to count again and be killed in the middle; "resume":
continue that count and write `resumed.npz`. Without COORDINATOR the process is alone, or of SLURM.
"""

import os
import signal
import sys
from functools import partial
from pathlib import Path
from unittest import mock

import jax.numpy as jnp
import numpy as np
from jax import lax

from ganfail_jax import hosts, latents, runtime
from ganfail_jax.analysis import detection, rates
from ganfail_jax.runtime import Sweep
from ganfail_jax.tally import compile_counter, tally
from tests.tiny import models

NUM_SAMPLES = 364  # counted in the parts of `rates.milestones`, none a multiple of what follows
KEPT = 304  # samples in the checkpoint that a killed count of 4 or 8 devices leaves, of 176 .. 363
LAYERS = ("b0004/conv1", "b0008/conv0")


def count(mesh, folder=None, batch_size=50):
    """Rates, with a checkpoint after every batch."""
    tiny = models()
    with mock.patch.object(rates, "tally", partial(tally, every=1)):
        return rates.count_rates(
            tiny.generator,
            tiny.generator_params,
            LAYERS,
            NUM_SAMPLES,
            Sweep(batch_size, mesh, folder, name="counting"),
        )


def last_bits(params, indices, mask):
    """How often the last bit of each activation is set: any other rounding changes the number."""
    taps = latents.activations(models().generator, params, 0, indices)

    def ones(x):
        bits = lax.bitcast_convert_type(x, jnp.int32) & 1
        return jnp.sum(jnp.where(mask[:, None, None, None], bits, 0), 0)

    return {name: ones(taps[name]) for name in LAYERS}


def everything(mesh, batch_size):
    """What must be the same to the last bit on any devices."""
    tiny = models()
    params = runtime.replicate(mesh, tiny.generator_params)
    bits = tally(compile_counter(last_bits, mesh), params, 0, 100, Sweep(batch_size, mesh))
    found = count(mesh, batch_size=batch_size)
    detected = detection.detect(
        tiny.generator,
        tiny.generator_params,
        rates.low_rate(found, 0.6),
        75,
        Sweep(batch_size, mesh),
        first_index=5,
    )
    return {
        **found.arrays(),
        **{f"bits of {name}": total for name, total in bits.items()},
        "activated": detected.activated,
    }


def main(mode, folder, coordinator=None, process=None):
    hosts.start(coordinator, coordinator and 2, process and int(process))
    mesh, write = runtime.data_mesh(), runtime.write_partial
    if mode == "resume":
        resumed = count(mesh, folder).arrays()
        if hosts.is_first():
            np.savez(folder / "resumed.npz", allow_pickle=False, **resumed)
        return
    found = everything(mesh, batch_size=50)
    if hosts.is_first():
        np.savez(folder / "found.npz", allow_pickle=False, devices=mesh.size, **found)

    def write_or_die(path, mark, total, done):
        if done == NUM_SAMPLES:
            os.kill(os.getpid(), signal.SIGKILL)
        write(path, mark, total, done)

    runtime.write_partial = write_or_die
    count(mesh, folder)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
