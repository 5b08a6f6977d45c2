"""Devices and how a batch is spread over them."""

from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec


def data_mesh(devices: list[Any] | None = None) -> Mesh:
    """A mesh of one axis, "data", over the given devices (default: all)."""
    return Mesh(np.asarray(devices or jax.devices()), ("data",))


def shard_batch(mesh: Mesh, batch: Any) -> Any:
    """Put arrays [b, ...] on the mesh, split along the batch."""
    return jax.device_put(batch, NamedSharding(mesh, PartitionSpec("data")))


def replicate(mesh: Mesh, tree: Any) -> Any:
    """Put arrays on the mesh, a copy on every device."""
    return jax.device_put(tree, NamedSharding(mesh, PartitionSpec()))
