"""`python -m analyze.correct` on tiny models: what it shows and measures, and bad input."""

import numpy as np
import pytest

from ganfail_jax import results, zoo
from ganfail_jax.studies.unit_fid import FID
from tests.analyze.commands import only_folder, run
from tests.analyze.conftest import LABELLED

FAST = ["--threshold_samples=40", "--tau=0.2", "--batch_size=4"]
STOP = ["--stop=b8.conv0", "--share=0.5"]


@pytest.fixture(scope="module")
def flags(folders):
    return [
        f"--generator={folders / 'generator'}",
        f"--artifact_classifier={folders / 'artifacts'}",
    ]


@pytest.fixture(scope="module")
def unit_fid(flags, folders, tmp_path_factory):
    """As analyze.units writes it: unit 3 of the layer b0008/conv0 is the worst."""
    folder = tmp_path_factory.mktemp("units")
    sha256 = zoo.read_generator(str(folders / "generator")).sha256
    made_by = results.provenance({"generator": "generator", "generator_sha256": sha256})
    fid = {f"{FID}b0008/conv0": np.array([1.0, 2.0, 0.5, 9.0])}
    results.save(folder, {}, made_by, fid)
    return folder


def test_held_out_samples_are_corrected_and_measured(flags, unit_fid, tmp_path):
    args = [*flags, *FAST, *STOP, f"--unit_fid={unit_fid}", "--units=3,1", "--shown=2"]
    done = run("correct", *args, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "quantiles: 100%" in done.stderr
    assert "defective scores" not in done.stderr  # each sample has its own
    folder = only_folder(tmp_path, "correct")  # the seed of the labels
    result = results.load(folder)
    rows = ["none", "random", "fid", "ds", "sequential", "local", "manual"]
    for kind, part in (("artifacts", "artifact"), ("normals", "normal")):
        held_out = LABELLED["held_out"][part]
        assert result.summary["samples"][kind] == len(held_out)
        assert result.arrays[f"{kind}/indices"].tolist() == held_out
        summary = result.summary["methods"][kind]
        assert list(summary) == rows
        changes = result.arrays[f"{kind}/change"]
        assert not changes[0].any()
        assert (changes[1:].max(axis=1) > 0.01).all()
        np.testing.assert_array_equal(changes[rows.index("fid")], changes[rows.index("manual")])
        probability = result.arrays[f"{kind}/probability"].astype(np.float64)
        for row, method in enumerate(rows):
            assert summary[method]["probability"]["value"] == pytest.approx(probability[row].mean())
            difference = (probability[row] - probability[0]).mean()
            assert summary[method]["difference"]["value"] == pytest.approx(difference, abs=1e-9)
        assert result.arrays[f"held-out {kind}/indices"].tolist() == held_out[:2]
        images = result.arrays[f"held-out {kind}/images"]
        assert images.shape == (7, 2, 8, 8, 1)
        moved = np.abs(images[1:].astype(float) - images[0]).mean(axis=(2, 3, 4))
        np.testing.assert_allclose(moved, changes[1:, :2], atol=0.6)  # of 8 bits
        line = f"  sequential {summary['sequential']['probability']['value']:.3f} ["
        assert line in done.stdout
    for name in ("effects.png", "held-out-artifacts.png", "held-out-normals.png"):
        assert (folder / name).stat().st_size > 10_000


def test_given_samples_by_the_defects_of_a_folder(flags, folders, tmp_path):
    generator, classifier = (folders / name for name in ("generator", "artifacts"))
    sha256 = zoo.read_generator(str(generator)).sha256, zoo.read_classifier(str(classifier)).sha256
    made = {
        "generator_sha256": sha256[0],
        "artifact_classifier_sha256": sha256[1],
        "tau": 0.1,
        "threshold_samples": 40,
        "mask_threshold": 0.1,
        "order": "threshold_then_upsample",
    }
    units = {"b0004/conv1": 6, "b0008/conv0": 4}
    arrays = {f"thresholds/{name}": np.zeros(n, np.float32) for name, n in units.items()}
    arrays |= {f"scores/{name}": np.arange(n) / 8 for name, n in units.items()}
    results.save(tmp_path / "scored", {}, results.provenance(made), arrays)
    args = [*flags, "--batch_size=4", *STOP, "--defects=scored", "--methods=ds", "--units=2,3"]
    done = run("correct", *args, "--scores=global", "--indices=7,100", "--out=new", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    result = results.load(tmp_path / "new")
    assert result.arrays["samples/indices"].tolist() == [7, 100]
    assert list(result.summary["methods"]["normals"]) == ["none", "ds", "manual"]
    _, by_scores, by_hand = result.arrays["samples/images"]  # units 2 and 3 have the largest DS
    np.testing.assert_array_equal(by_scores, by_hand)
    assert (tmp_path / "new" / "samples.png").exists()
    assert "the method fid is left out" not in done.stdout  # it is not asked for


def test_bad_input_ends_in_one_line(flags, folders, unit_fid, tmp_path):
    other = [f"--generator={folders / 'unconditional'}", flags[1]]
    crossed = [other[0], f"--artifact_classifier={folders / 'artifacts_unconditional'}"]
    bad = [
        (
            [*flags, "--methods=ds,magic"],
            "no correction 'magic'; they are random, fid, ds, sequential, local",
        ),
        ([*flags, "--methods="], "--methods is empty; give some, or leave it out for all"),
        (
            [*flags, "--methods=fid"],
            "the method fid needs --unit_fid=FOLDER of analyze.units",
        ),
        (
            [*flags, "--stop=tousi:9"],
            "no layer 'tousi:9'; the layers are b0004/conv1, b0008/conv0, b0008/conv1",
        ),
        ([*flags, *STOP, "--units=1,x"], "--units has 'x'; units count from 0"),
        ([*flags, *STOP, "--units=4"], "no unit 4 in a layer of units 0 to 3"),
        (
            [*crossed, *STOP, f"--unit_fid={unit_fid}"],
            f"the distances of units in {unit_fid} are of another generator: generator",
        ),
    ]
    for args, message in bad:
        done = run("correct", *args, *FAST, "--out=new", cwd=tmp_path)
        assert (done.returncode, done.stderr.strip()) == (1, f"error: {message}"), args
        assert not list(tmp_path.iterdir())
