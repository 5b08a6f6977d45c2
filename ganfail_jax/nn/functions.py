"""What a network of another framework or a file is made of, before it becomes a classifier."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from ganfail_jax.types import Params


class Function(NamedTuple):
    """Images to logits, and how images enter."""

    logits: Callable[..., Any]  # (images), or (params, images) where there are params
    params: Params = None
    entry: Mapping[str, Any] = MappingProxyType({})  # arguments of `wrapped.wrap`
    weights: Mapping[str, np.ndarray] = MappingProxyType({})  # held elsewhere than in its params

    def __call__(self, params: Params, images: Any) -> Any:
        return self.logits(images) if params is None else self.logits(params, images)
