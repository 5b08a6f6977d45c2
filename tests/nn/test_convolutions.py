"""Convolutions for CPU equal the plain ones, and so do their derivatives of first and second order.

Plain convolutions with XLA's own automatic differentiation, in float64, are the independent
reference; finite differences check both along one direction.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax.nn import convolutions
from ganfail_jax.nn.convolutions import ON_CPU, PLAIN

pytestmark = pytest.mark.usefixtures("float64")
RNG = np.random.default_rng(0)
CASES = {  # the map, its last arguments, shapes of its input and of its kernel
    "3x3": ("stride1", (1,), (2, 5, 4, 3), (3, 3, 3, 2)),
    "3x3, batch of one": ("stride1", (1,), (1, 4, 4, 5), (3, 3, 5, 7)),
    "3x3, channels filled up": ("stride1", (1,), (2, 3, 4, 17), (3, 3, 17, 19)),
    "3x3, whole vectors": ("stride1", (1,), (2, 4, 3, 16), (3, 3, 16, 32)),
    "3x3 of one pixel": ("stride1", (1,), (3, 1, 1, 2), (3, 3, 2, 4)),
    "5x5": ("stride1", (2,), (2, 6, 5, 2), (5, 5, 2, 3)),
    "2x2, enlarging": ("stride1", (1,), (2, 3, 4, 3), (2, 2, 3, 20)),
    "2x2, shrinking": ("stride1", (0,), (2, 4, 3, 20), (2, 2, 20, 3)),
    "1x1": ("stride1", (0,), (2, 4, 5, 3), (1, 1, 3, 18)),
    "1x1 to one channel": ("stride1", (0,), (2, 4, 4, 18), (1, 1, 18, 1)),
    "stride 2": ("stride2", (), (2, 9, 7, 3), (3, 3, 3, 5)),
    "stride 2, batch of one": ("stride2", (), (1, 5, 5, 17), (3, 3, 17, 18)),
    "stride 2, wide": ("stride2", (), (2, 5, 7, 130), (3, 3, 130, 4)),
    "stride 2 to one pixel": ("stride2", (), (2, 3, 3, 4), (3, 3, 4, 2)),
    "transposed": ("stride2_transposed", (), (2, 4, 3, 5), (3, 3, 3, 5)),
    "transposed, batch of one": ("stride2_transposed", (), (1, 2, 2, 18), (3, 3, 17, 18)),
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def normal(*shape):
    return jnp.asarray(RNG.normal(size=shape))


def bind(family, case):
    """The map of two arguments."""
    name, rest, _, _ = case
    return jax.jit(lambda x, kernel: getattr(family, name)(x, kernel, *rest))


def arguments(case):
    return normal(*case[2]), normal(*case[3])


def close(ours, reference):
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(reference), strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10 * float(jnp.max(jnp.abs(b))))


def penalty(function, weights, x, kernel):
    """A loss of both first derivatives, as R1 and path length are of one."""

    def loss(x, kernel):
        return jnp.sum(weights * jnp.sin(function(x, kernel)))

    gradients = jax.grad(loss, argnums=(0, 1))(x, kernel)
    return sum(jnp.sum(jnp.cos(g) + g**2) for g in gradients)


def test_the_platform_chooses(monkeypatch):
    for platform, family in {"cpu": ON_CPU, "gpu": PLAIN, "tpu": PLAIN}.items():
        monkeypatch.setattr(jax, "default_backend", lambda platform=platform: platform)
        assert convolutions.convolutions() is family


@every_case
def test_values_and_first_derivatives_equal_the_plain_ones(case):
    x, kernel = arguments(case)
    results = []
    for family in (ON_CPU, PLAIN):
        y, pullback = jax.vjp(bind(family, case), x, kernel)
        results.append((y, pullback(jnp.cos(jnp.arange(y.size, dtype=float)).reshape(y.shape))))
    close(*results)


@every_case
def test_second_derivatives_equal_the_plain_ones(case):
    x, kernel = arguments(case)
    weights = normal(*bind(PLAIN, case)(x, kernel).shape)
    results = []
    for family in (ON_CPU, PLAIN):
        loss = partial(penalty, bind(family, case))
        results.append(jax.jit(jax.grad(loss, argnums=(0, 1, 2)))(weights, x, kernel))
    close(*results)


@every_case
@pytest.mark.parametrize("order", [1, 2])
def test_derivatives_equal_finite_differences(case, order):
    x, kernel = arguments(case)
    function = bind(ON_CPU, case)
    weights = normal(*function(x, kernel).shape)

    @jax.jit
    def loss(x, kernel):
        if order == 2:
            return penalty(function, weights, x, kernel)
        return jnp.sum(weights * jnp.sin(function(x, kernel)))

    directions, step = (normal(*x.shape), normal(*kernel.shape)), 1e-6
    ahead, behind = (
        loss(x + sign * step * directions[0], kernel + sign * step * directions[1])
        for sign in (1, -1)
    )
    gradients = jax.jit(jax.grad(loss, argnums=(0, 1)))(x, kernel)
    slope = sum(jnp.vdot(g, d) for g, d in zip(gradients, directions, strict=True))
    expected = (ahead - behind) / (2 * step)
    assert float(slope) == pytest.approx(float(expected), rel=1e-5)


def test_stride_2_wants_odd_sizes():
    for family in (ON_CPU, PLAIN):
        with pytest.raises(ValueError, match="stride 2 wants odd rows and columns, not 4x5"):
            family.stride2(normal(1, 4, 5, 2), normal(3, 3, 2, 2))


@every_case
def test_bfloat16_is_kept(case):
    x, kernel = (a.astype(jnp.bfloat16) for a in arguments(case))
    y, pullback = jax.vjp(bind(ON_CPU, case), x, kernel)
    exact, exact_pullback = jax.vjp(bind(PLAIN, case), *(a.astype(float) for a in (x, kernel)))
    ours = y, *pullback(jnp.ones_like(y))
    for a, b in zip(ours, (exact, *exact_pullback(jnp.ones_like(exact))), strict=True):
        assert a.dtype == jnp.bfloat16
        error = float(jnp.max(jnp.abs(a - b)) / jnp.max(jnp.abs(b)))
        assert error < 4 * float(jnp.finfo(jnp.bfloat16).eps)


@pytest.mark.parametrize("name", ["3x3, channels filled up", "1x1", "stride 2", "transposed"])
def test_a_batch_of_batches(name):
    """As `vmap` calls it, over the input alone and over both."""
    case = CASES[name]
    function = bind(ON_CPU, case)
    x, kernel = normal(2, *case[2]), normal(2, *case[3])
    gradient = jax.jit(jax.grad(lambda x, k: jnp.sum(jnp.sin(function(x, k))), (0, 1)))
    close(
        jax.jit(jax.vmap(gradient, (0, None)))(x, kernel[0]),
        jax.tree.map(lambda *g: jnp.stack(g), *(gradient(a, kernel[0]) for a in x)),
    )
    close(
        jax.jit(jax.vmap(gradient))(x, kernel),
        jax.tree.map(lambda *g: jnp.stack(g), *map(gradient, x, kernel)),
    )
