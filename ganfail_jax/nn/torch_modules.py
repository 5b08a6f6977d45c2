"""A PyTorch module as a function of JAX arrays: PyTorch runs it on the host, and differentiates it.

The one file that uses PyTorch, which the extra `torch` installs. It is imported by whoever makes
the module.
"""

import sys
from typing import Any

import numpy as np

from ganfail_jax.nn.functions import Function
from ganfail_jax.nn.on_host import on_host


def is_module(value: Any) -> bool:
    """Whether this is an `nn.Module`."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.nn.Module)


def function(module: Any) -> Function:
    """What a module computes in evaluation mode, on its own device and in its own precision.

    Args:
        module: `nn.Module`, which is set to evaluation mode; images [b, c, h, w] to logits [b, k].
    """
    torch: Any = sys.modules["torch"]
    module.eval()
    first = next(module.parameters(), torch.zeros(0))

    def tensor(x: np.ndarray) -> Any:
        return torch.tensor(x, dtype=first.dtype, device=first.device)

    def forward(x: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return module(tensor(x)).cpu().numpy()

    def backward(x: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        with torch.enable_grad():
            inputs = tensor(x).requires_grad_()
            return torch.autograd.grad(module(inputs), inputs, tensor(gradient))[0].cpu().numpy()

    def logits(images: Any) -> Any:
        one = forward(np.zeros((1, *images.shape[1:]), np.float32))
        return on_host(forward, one.shape[-1], backward)(images)

    weights = {name: value.cpu().numpy() for name, value in module.state_dict().items()}
    return Function(logits, None, {"layout": "NCHW"}, weights)
