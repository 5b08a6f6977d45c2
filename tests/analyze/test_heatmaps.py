"""`python -m analyze.heatmaps` on a tiny generator: which samples, their maps, and bad input."""

import numpy as np
import pytest

from ganfail_jax import results, runtime, zoo
from ganfail_jax.analysis import detection, heatmaps, rates
from ganfail_jax.jobs import Run
from ganfail_jax.studies import activation_rates
from ganfail_jax.studies import heatmaps as studied
from ganfail_jax.studies.subject import of_generator
from tests.analyze.commands import only_folder, run

LAYERS = ["b0004/conv1", "b0008/conv0"]


def test_samples_of_both_ends_are_shown(models, tmp_path):
    args = ["--rates_samples=64", "--num_samples=60", "--shown=1"]
    done = run("heatmaps", models[0], *args, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = only_folder(tmp_path, "heatmaps")
    result = results.load(folder)
    generator, params = zoo.load_generator(models[0].split("=")[1])
    sweep = runtime.Sweep(64, runtime.data_mesh())
    low = rates.low_rate(rates.count_rates(generator, params, LAYERS, 64, sweep), 0.3)
    score = detection.detect(generator, params, low, 60, sweep, first_index=64).score
    indices = result.arrays["indices"]
    np.testing.assert_array_equal(score[indices - 64], [score.max(), score.min()])
    assert [sample["kind"] for sample in result.summary["samples"]] == ["Top", "Bottom"]
    found = heatmaps.heatmaps(generator, params, low, indices.astype(np.int32))
    expected = found.arrays()
    difference = result.arrays["images"].astype(int) - expected.pop("images")
    assert abs(difference).max() <= 1
    for name, array in expected.items():
        np.testing.assert_array_equal(result.arrays[name], array)
    numbers = [list(sample["activated"].values()) for sample in result.summary["samples"]]
    assert numbers == found.activated.tolist()
    figures = {f"sample-{i}.png" for i in indices} | {"overview.png"}
    assert {path.name for path in folder.glob("*.png")} == figures
    for name in figures:
        assert f"{folder.relative_to(tmp_path) / name}" in done.stdout


def test_chosen_samples_and_layers_are_shown(models, tmp_path):
    args = ["--rates_samples=64", "--indices=9,2", "--layers=choi:1", "--out=found"]
    done = run("heatmaps", models[0], *args, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    arrays = results.load(tmp_path / "found").arrays
    assert arrays["indices"].tolist() == [9, 2]
    assert arrays["layers"].tolist() == ["b0008/conv0"]
    assert arrays["plain/b0008/conv0"].shape == (2, 8, 8)
    assert "Chosen sample 9 activates rarely activated (LR) neurons: " in done.stdout
    subject = of_generator(*zoo.load_generator(models[0].split("=")[1]), "generator")
    source = activation_rates.make(subject, ["choi:1"], activation_rates.Settings(64))
    settings = studied.Settings(indices=[9, 2])
    again = studied.plan(subject, source, settings, Run(out=str(tmp_path / "again"))).run()
    for name, array in arrays.items():  # without flags
        np.testing.assert_array_equal(again.arrays[name], array)


BAD = [
    (["--indices=4,1,4"], "--indices has 3 samples; give at most 24, each once"),
    (["--indices=4", "--shown=2"], "--indices are the samples shown: leave --shown out"),
    (["--indices=-4"], "--indices has '-4'; indices of samples count from 0"),
    (["--shown=13"], "--shown=13: at most 12 of either end"),
]


@pytest.mark.parametrize(("args", "message"), BAD, ids=lambda x: x[0] if type(x) is list else "")
def test_bad_input_is_one_line_and_writes_nothing(args, message, models, tmp_path):
    done = run("heatmaps", models[0], *args, cwd=tmp_path)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line == f"error: {message}"
    assert not list(tmp_path.iterdir())
