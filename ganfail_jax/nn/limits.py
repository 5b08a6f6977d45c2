"""What numbers a configuration may have, checked before any network is built of it.

A configuration may come from a stranger's `config.json`: a network of ten million layers would
never be finished. The limits are far beyond every published network of these kinds.
"""

import math
from collections.abc import Iterable
from typing import Any

from ganfail_jax.errors import InputError

LIMITS = {  # setting -> smallest and largest
    "resolution": (4, 4_096),
    "img_channels": (1, 64),
    "num_classes": (0, 100_000),
    "z_dim": (1, 16_384),
    "w_dim": (1, 16_384),
    "mapping_layers": (1, 64),
    "channel_base": (1, 2**22),
    "channel_max": (1, 16_384),
    "group_size": (1, 16_384),
    "crop": (1, 4_096),
    "convs": (1, 64),
    "blocks": (1, 64),
}
SEVERAL = {  # setting -> smallest and largest length, and of every number in it
    "image_shape": (3, 3, 1, 4_096),  # height, width, channels
    "widths": (1, 12, 1, 16_384),
}
SWITCHES = ("joint_norm", "class_head")


def check(config: Any) -> None:
    """The settings of a configuration that are numbers or switches.

    Raises:
        InputError: one is of another type or beyond its limits; the line says which they are.
    """
    for name, value in vars(config).items():
        if name in LIMITS:
            least, most = LIMITS[name]
            if type(value) is not int or not least <= value <= most:
                raise _error(name, value, f"a whole number from {least:,} to {most:,}")
        if name in SEVERAL:
            shortest, longest, least, most = SEVERAL[name]
            numbers = value if isinstance(value, tuple) else ()
            fits = all(type(n) is int and least <= n <= most for n in numbers)
            if not fits or not shortest <= len(numbers) <= longest:
                length = f"{shortest}" if shortest == longest else f"{shortest} to {longest}"
                raise _error(name, value, f"{length} whole numbers from {least:,} to {most:,}")
        if name in SWITCHES and type(value) is not bool:
            raise _error(name, value, "true or false")
    resolution, clamp = getattr(config, "resolution", 4), getattr(config, "conv_clamp", None)
    if resolution & (resolution - 1):
        raise _error("resolution", resolution, "a power of two")
    if getattr(config, "channel_base", resolution) < resolution:
        raise _error("channel_base", config.channel_base, f"at least the resolution, {resolution}")
    if clamp is not None and not (type(clamp) in (int, float) and 0 < clamp < math.inf):
        raise _error("conv_clamp", clamp, "null or a number above 0")


def check_choice(name: str, value: Any, known: Iterable[str]) -> None:
    """
    Raises:
        InputError: a setting is not one of those known.
    """
    if not isinstance(value, str) or value not in known:
        raise _error(name, value, f"one of {', '.join(known)}")


def _error(name: str, value: Any, wanted: str) -> InputError:
    shown = "an object" if isinstance(value, dict) else str(value)[:50]
    return InputError(f"{name} is {shown}, but must be {wanted}")
