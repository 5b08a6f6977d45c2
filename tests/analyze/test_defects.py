"""`python -m analyze.defects` on tiny models: its scores, what it reuses, and bad input."""

import numpy as np
import pytest

from ganfail_jax import results, runtime, zoo
from ganfail_jax.analysis import defects, quantiles
from ganfail_jax.analysis.outputs import Models
from ganfail_jax.runtime import Sweep
from tests.analyze.commands import arrays_with_shown, only_folder, run
from tests.analyze.conftest import LABELLED

FAST = ["--threshold_samples=40", "--batch_size=16"]
LAYERS = ["b0004/conv1", "b0008/conv0"]


@pytest.fixture(scope="module")
def flags(folders):
    return [
        f"--generator={folders / 'generator'}",
        f"--artifact_classifier={folders / 'artifacts'}",
    ]


def test_units_are_scored_by_the_artifacts_of_the_training_labels(flags, folders, tmp_path):
    args = [*flags, *FAST, "--layers=b0008/conv0,b4.conv1", "--tau=0.2", "--shown=2"]
    done = run("defects", *args, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = only_folder(tmp_path, "defects")  # the seed of the labels
    result = results.load(folder)
    generator, params = zoo.load_generator(str(folders / "generator"))
    counts = quantiles.count_activations(
        generator,
        params,
        LAYERS,
        40,
        Sweep(16, runtime.data_mesh()),
        seed=3,
    )
    limits = {name: quantiles.thresholds(each, 0.2).value for name, each in counts.items()}
    expected = defects.defective_scores(
        Models(generator, params, *zoo.load_classifier(str(folders / "artifacts"))),
        limits,
        np.array(LABELLED["train"]["artifact"]),
        Sweep(16, runtime.data_mesh()),
        artifact=1,
        seed=3,
    )
    assert result.arrays["layers"].tolist() == LAYERS
    drawn = arrays_with_shown(folder)
    for name in LAYERS:
        np.testing.assert_array_equal(result.arrays[f"thresholds/{name}"], limits[name])
        np.testing.assert_allclose(result.arrays[f"scores/{name}"], expected.scores[name])
        top = result.summary["layers"][name]["top"][0]
        assert top["score"] == expected.scores[name].max() > 0
        line = next(line for line in done.stdout.splitlines() if line.startswith(f"  {name}: "))
        assert f"; units {top['unit']} (" in line
        best = np.argsort(-expected.samples[name][:, top["unit"]], kind="stable")[:2]
        shown = drawn["indices"][LAYERS.index(name)]
        assert shown.tolist() == np.array(LABELLED["train"]["artifact"])[best].tolist()
    assert drawn["masks"].any()
    assert drawn["active"].shape == (2, 2, 8, 8)
    assert "5 artifact images; the mask covers " in done.stdout
    again = run("defects", *args, cwd=tmp_path)
    assert "already holds this result" in again.stdout
    for name in ("scores.png", "regions.png"):
        assert (folder / name).stat().st_size > 10_000


def test_bad_input_ends_in_one_line(flags, folders, tmp_path):
    plain = [flags[0], f"--artifact_classifier={folders / 'classifier'}"]
    crossed = [flags[0], f"--artifact_classifier={folders / 'artifacts_unconditional'}"]
    bad = [
        (flags[:1], "give --artifact_classifier=FOLDER of train.artifact_classifier"),
        (plain, f"{folders / 'classifier'} was not made by train.artifact_classifier"),
        (
            crossed,
            f"{folders / 'artifacts_unconditional'} knows the artifacts of another generator: "
            "unconditional",
        ),
        ([*flags, "--layers="], "--layers is empty; give some, or leave it out for the paper's"),
        ([*flags, "--seed=0"], "the labelled samples are of seed 3: leave --seed out"),
        ([*flags, "--tau=1"], "--tau is at least 0 and less than 1, not 1"),
        ([*flags, "--mask_threshold=1"], "--mask_threshold is at least 0 and less than 1, not 1"),
    ]
    for args, message in bad:
        done = run("defects", *args, *FAST, "--out=new", cwd=tmp_path)
        assert (done.returncode, done.stderr.strip()) == (1, f"error: {message}"), args
        assert not list(tmp_path.iterdir())
