"""What of a training run survives a kill, and how it is read back.

A run's folder holds `run.json`, which says what run it is, and `checkpoints/` (Orbax): the two
newest states, both finite. Everything else of a run follows from these.
"""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp

from ganfail_jax import files
from ganfail_jax.errors import InputError, one_line
from ganfail_jax.results import DAMAGE, replace_file, writable_folder
from ganfail_jax.writing import contents

RUN, STATES = "run.json", "checkpoints"
State = TypeVar("State")


class TrainingError(InputError):
    """The run cannot start or be resumed; one line says why and where the last good state is."""


def _settings(run: Mapping[str, Any]) -> dict[str, Any]:
    """The contents of run.json by name, such as `generator.z_dim`."""
    flat = {name: value for name, value in run.items() if name != "config"}
    for name, value in run["config"].items():
        nested = isinstance(value, dict)
        flat |= {f"{name}.{k}": v for k, v in value.items()} if nested else {name: value}
    return flat


def differences(
    present: Mapping[str, Any], wanted: Mapping[str, Any]
) -> dict[str, tuple[Any, Any]]:
    """What two contents of run.json differ in, by name: (present, wanted)."""
    before, now = _settings(present), _settings(wanted)
    pairs = {name: (before.get(name), now.get(name)) for name in sorted({*before, *now})}
    return {name: (old, new) for name, (old, new) in pairs.items() if old != new}


def _read(path: Path) -> dict[str, Any]:
    try:
        run = files.read_json(path)
        _settings(run)
    except DAMAGE as error:
        reason = one_line(error)
        raise TrainingError(f"{path} is damaged ({reason}); choose another --out") from error
    return run


def claim(
    folder: Path,
    run: Mapping[str, Any],
    check_same: Callable[[Path, Mapping[str, Any], Mapping[str, Any]], None],
) -> None:
    """Write run.json, or check that the run in the folder, which is locked, is this one.

    Args:
        check_same: raises TrainingError if (folder, the run in it, this run) do not go together.

    Raises:
        ResultError: the folder cannot be written.
        TrainingError: another run or other files are in it, or its run.json is damaged.
    """
    writable_folder(folder)
    path = folder / RUN
    if path.exists():
        check_same(folder, _read(path), run)
    elif contents(folder):
        raise TrainingError(f"{folder} holds other files; choose an empty --out")
    with replace_file(path) as new:
        new.write_text(json.dumps(run, indent=2) + "\n")


def manager(folder: Path) -> ocp.CheckpointManager:
    """The checkpoints of the run in this folder; to be used in a `with`."""
    options = ocp.CheckpointManagerOptions(
        max_to_keep=2, enable_async_checkpointing=False, cleanup_tmp_directories=True
    )
    return ocp.CheckpointManager((folder / STATES).absolute(), options=options)


def restore(manager: ocp.CheckpointManager, fresh: State) -> State:
    """The newest checkpoint, laid out like `fresh`; without one `fresh` itself.

    Raises:
        TrainingError: it cannot be read.
    """
    step = manager.latest_step()
    if step is None:
        return fresh
    abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, fresh)
    try:
        restored: Any = manager.restore(step, args=ocp.args.StandardRestore(abstract))
    except Exception as error:  # whatever the layers below Orbax raise for a damaged file
        folder = Path(manager.directory) / str(step)
        raise TrainingError(
            f"checkpoint {folder} is damaged or of another network; "
            "delete that folder to resume from the one before"
        ) from error
    return restored


@jax.jit
def _all_finite(tree: Any) -> jax.Array:
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(tree)]))


def finite(metrics: Mapping[str, float], state: Any) -> bool:
    """Whether no number of the metrics and of the state is infinite or NaN."""
    return all(map(math.isfinite, metrics.values())) and bool(_all_finite(state))
