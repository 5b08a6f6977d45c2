"""`python -m analyze.ablate` on a tiny generator, with rates of `analyze.rates`, and bad input."""

import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax import zoo
from ganfail_jax.analysis import detection, rates
from ganfail_jax.latents import generate
from ganfail_jax.results import load
from ganfail_jax.runtime import Sweep, data_mesh
from tests.analyze.commands import only_folder, run

SMALL = ["--rates_samples=64", "--num_samples=60", "--shown=2", "--sets=LR:0.5,random:0.3"]


def test_top_and_bottom_are_drawn_with_and_without_the_neurons(models, tmp_path):
    done = run("ablate", models[0], *SMALL, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = only_folder(tmp_path, "ablate")
    files = sorted(path.name for path in folder.iterdir())
    assert files == ["ablated.png", "result.json", "result.npz"]
    result = load(folder)
    layers = ["b0004/conv1", "b0008/conv0"]
    assert result.summary["layers"] == layers
    generator, params = zoo.load_generator(models[0].removeprefix("--generator="))
    sweep = Sweep(64, data_mesh())
    low = rates.low_rate(rates.count_rates(generator, params, layers, 64, sweep), 0.3)
    score = detection.detect(generator, params, low, 60, sweep, first_index=64).score
    order = np.argsort(score, kind="stable")
    assert result.summary["indices"] == (64 + np.r_[order[::-1][:2], order[:2][::-1]]).tolist()
    images = generate(generator, params, 0, jnp.asarray(result.summary["indices"]))[0]
    np.testing.assert_allclose(result.arrays["images"][0], images, atol=0.01)  # a level
    assert list(result.summary["pixel_changes"]) == ["none", "LR:0.5", "random:0.3"]
    assert not np.any(result.summary["pixel_changes"]["none"])
    assert np.all(result.arrays["changes"][1:] > 0)
    assert "LR:0.5" in done.stdout


BAD = [
    (["--sets=MR:0.3"], "'MR:0.3' is not a set of neurons"),
    (["--layers=b0064/conv0"], "no layer 'b0064/conv0'; the layers are b0004/conv1"),
    (["--indices=1,x"], "--indices has 'x'"),
    (["--shown=40"], "overlap"),
]


@pytest.mark.parametrize(("args", "message"), BAD, ids=lambda x: x[0] if type(x) is list else "")
def test_bad_input_is_one_line(args, message, models, tmp_path):
    done = run("ablate", models[0], *SMALL, *args, cwd=tmp_path)
    assert done.returncode == 1
    assert message in done.stderr.strip().splitlines()[-1]
