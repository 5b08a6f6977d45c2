"""Figures of activation rates are real pictures, whatever the number of layers."""

import numpy as np
import pytest
from matplotlib import image

from ganfail_jax.analysis.convergence import converge, inspect
from ganfail_jax.analysis.rates import Rates
from ganfail_jax.plots.rates import draw_convergence, draw_rates


@pytest.mark.parametrize("layers", [1, 9])
def test_rates_and_their_convergence_are_drawn(tmp_path, layers):
    rng = np.random.default_rng(0)
    shares = {f"b{2**i:04d}/conv0": rng.random((2, 2, 40)) for i in range(layers)}
    found = [
        Rates({name: rng.binomial(n, share) for name, share in shares.items()}, n)
        for n in (32, 1000)
    ]
    settled = converge([inspect(each, 0.3) for each in found], [160] * layers)
    draw_rates(tmp_path / "rates.png", found[-1], 0.3, "generator g")
    draw_convergence(tmp_path / "convergence.png", settled, list(shares), "generator g")
    for name in ("rates.png", "convergence.png"):
        pixels = image.imread(tmp_path / name)
        assert min(pixels.shape[:2]) > 300
        assert pixels.std() > 0.05
