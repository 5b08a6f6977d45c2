"""The operators that are known; a file that uses another is refused."""

from ganfail_jax.nn.onnx_operators import (
    convolution,
    elementwise,
    normalisation,
    pooling,
    reductions,
    resizing,
    shapes,
)
from ganfail_jax.nn.onnx_operators.context import Operator

OPSETS = (7, 28)  # versions whose definitions the functions follow
OPERATORS: dict[str, Operator] = {
    **convolution.OPERATORS,
    **elementwise.OPERATORS,
    **normalisation.OPERATORS,
    **pooling.OPERATORS,
    **reductions.OPERATORS,
    **resizing.OPERATORS,
    **shapes.OPERATORS,
}
