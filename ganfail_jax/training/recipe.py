"""What every kind of GAN training has in common: settings, and what the loop needs to know."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Float

from ganfail_jax.errors import InputError


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Settings of every training run.

    Raises:
        InputError: the networks do not fit together, or a number makes no sense.
    """

    generator: Any
    discriminator: Any
    batch_size: int
    learning_rate: float
    ema_kimg: float  # half-life of the averaged generator
    total_kimg: float
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("resolution", "img_channels", "num_classes"):
            ours, theirs = getattr(self.generator, name), getattr(self.discriminator, name)
            if ours != theirs:
                raise InputError(
                    f"{name} is {ours} in the generator, {theirs} in the discriminator"
                )
        if self.seed < 0 or not 0 < self.total_kimg < math.inf:
            given = f"{self.seed} and {self.total_kimg}"
            raise InputError(f"seed must be at least 0 and total_kimg above 0, not {given}")
        if self.learning_rate <= 0 or self.ema_kimg <= 0:
            given = f"{self.learning_rate} and {self.ema_kimg}"
            raise InputError(f"learning_rate and ema_kimg must be above 0, not {given}")
        batch, group = self.batch_size, self.discriminator.group_size
        if batch < 1 or batch % min(group, batch):
            raise InputError(
                f"batch_size {batch} must be at least 1 and, above {group}, a multiple of {group}, "
                "the group of the minibatch standard deviation"
            )

    def with_batch_size(self, batch_size: int) -> "RunConfig":
        """For another batch: the average is over as many steps."""
        ema_kimg = self.ema_kimg * (batch_size / self.batch_size)
        return replace(self, batch_size=batch_size, ema_kimg=ema_kimg)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class Recipe(NamedTuple):
    """How one kind of GAN is trained, for one configuration and one mesh.

    A state is a NamedTuple with at least `step` and `ema`; everything random follows from the seed
    and the step, so that a resumed run repeats an uninterrupted one.
    """

    kind: str  # of the weights folder; that of the discriminator is `<kind>_discriminator`
    network: Any  # module with `init` and `build` of the generator
    critic_network: Any  # likewise, of the discriminator
    init: Callable[[Any, Any], Any]  # variables of both to start from, or None -> fresh state
    step: Callable[..., tuple[Any, dict[str, Array]]]  # state, host's step, images, label
    snapshot: Callable[[Any], tuple[Any, Any]]  # state -> configuration and averaged variables
    critic: Callable[[Any], tuple[Any, Any]]  # state -> the discriminator's, likewise
    status: Callable[[Any], dict[str, float]]  # state -> what else there is to log


def draw_latents(key: Array, batch_size: int, z_dim: int, mesh: Mesh | None) -> Float[Array, "b z"]:
    """Normal latents, split over the mesh: without it every device would do all of them."""
    z = jax.random.normal(key, (batch_size, z_dim), jnp.float32)
    if mesh is None or batch_size % mesh.size:  # path length's part of a batch may be too small
        return z
    return jax.lax.with_sharding_constraint(z, NamedSharding(mesh, PartitionSpec("data")))
