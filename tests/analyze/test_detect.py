"""`python -m analyze.detect` on tiny models: its numbers from their definitions, and bad input."""

import jax
import numpy as np
import pytest

from ganfail_jax import results, runtime, zoo
from ganfail_jax.analysis import detection, rates, samples
from ganfail_jax.analysis.outputs import Models
from ganfail_jax.images import to_uint8
from ganfail_jax.latents import generate
from ganfail_jax.statistics.estimates import auc
from tests.analyze.commands import only_folder, run

LAYERS = ["b0004/conv1", "b0008/conv0"]
SMALL = ["--rates_samples=64", "--num_samples=100", "--ends=10"]
LABELLED = np.asarray([3, 70, 12, 40, 90, 65])  # samples of the rates and others
ARTIFACT = np.asarray([True, False, True, False, True, False])


def sweep():
    return runtime.Sweep(64, runtime.data_mesh())


@pytest.fixture(scope="module")
def loaded(models):
    generator, classifier = (flag.split("=")[1] for flag in models)
    return Models(*zoo.load_generator(generator), *zoo.load_classifier(classifier))


@pytest.fixture(scope="module")
def counted(loaded):
    return rates.count_rates(loaded.generator, loaded.generator_params, LAYERS, 64, sweep())


@pytest.fixture(scope="module")
def scores(loaded, counted):
    """Of samples 0 .. 163, the first 64 of which made the rates."""
    low = rates.low_rate(counted, 0.3)
    arguments = loaded.generator, loaded.generator_params, low, 164, sweep()
    return detection.detect(*arguments).score


@pytest.fixture(scope="module")
def labels(tmp_path_factory):
    names = np.where(ARTIFACT, "artifact", "normal")
    rows = [f"{index},0,{name}" for index, name in zip(LABELLED, names, strict=True)]
    file = tmp_path_factory.mktemp("labels") / "labels.csv"
    file.write_text("\n".join(["index,seed,label", *rows, "5,1,normal"]))
    return file


@pytest.fixture(scope="module")
def finished(models, labels, tmp_path_factory):
    cwd = tmp_path_factory.mktemp("detect")
    done = run("detect", *models, *SMALL, f"--labels={labels}", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done, only_folder(cwd, "detect")


def test_scores_are_of_samples_that_did_not_make_the_rates(finished, scores):
    _, folder = finished
    result = results.load(folder)
    fresh = scores[64:]
    np.testing.assert_array_equal(result.arrays["score"], fresh)
    assert result.summary["first_index"] == 64
    top, bottom = detection.ends(fresh, 10)
    np.testing.assert_array_equal(result.arrays["top"], 64 + top)
    np.testing.assert_array_equal(result.arrays["bottom"], 64 + bottom)
    assert result.summary["score"]["top_from"] == fresh[top].min()
    classes = {row["class"]: row for row in result.summary["classes"]}
    assert classes[2]["share_of_top"] == ((64 + top) % 3 == 2).mean()


def test_images_of_both_ends(finished, loaded):
    _, folder = finished
    arrays = results.load(folder).arrays
    for end in ("top", "bottom"):
        images = jax.jit(lambda i: generate(loaded.generator, loaded.generator_params, 0, i)[0])(
            arrays[end]
        )
        difference = arrays[f"{end}_images"].astype(int) - to_uint8(np.asarray(images))
        assert abs(difference).max() <= 1


def test_what_the_score_distinguishes(finished, scores, loaded):
    done, folder = finished
    told = results.load(folder).summary["told"]
    assert list(told) == ["labelled artifact", "misclassified (classifier)"]
    by_labels = told["labelled artifact"]
    assert (by_labels["positive"], by_labels["negative"]) == (3, 3)
    own = scores[LABELLED, None].astype(float)
    assert by_labels["auc"]["sum"]["value"] == pytest.approx(auc(own, ARTIFACT).value[0])
    classified = samples.collect([loaded], 100, sweep(), first_index=64)
    by_classifier = told["misclassified (classifier)"]
    found = auc(scores[64:, None].astype(float), ~classified.right[0])
    assert by_classifier["positive"] == (~classified.right).sum()
    area = by_classifier["auc"]["sum"]
    assert area["value"] == pytest.approx(found.value[0])
    assert area["interval95"] == pytest.approx([x[0] for x in found.share_interval])
    within = auc(scores[64:, None].astype(float), ~classified.right[0], classified.target)
    area = by_classifier["auc_within_classes"]["sum"]
    assert area["value"] == pytest.approx(within.value[0])
    assert f", within classes: {area['value']:.3f}" in done.stdout
    assert "distinguish labelled artifact samples (3) from the others (3)?" in done.stdout


def test_it_prints_the_numbers_and_the_paths(finished):
    done, folder = finished
    files = sorted(path.name for path in folder.iterdir())
    assert files == ["extremes.png", "histogram.png", "result.json", "result.npz"]
    for part in (*files, "100 samples from index 64 on", "Top 10: from "):
        assert part in done.stdout


def test_given_rates_and_the_balanced_score(folders, counted, tmp_path):
    """Of an unconditional generator; its rates are made up."""
    name, rng = str(folders / "unconditional"), np.random.default_rng(0)
    shapes = {layer: counts.shape for layer, counts in counted.counts.items()}
    given = rates.Rates({layer: rng.integers(0, 2, size) for layer, size in shapes.items()}, 64)
    made = {"generator_sha256": zoo.read_generator(name).sha256, "num_samples": 64, "seed": 0}
    results.save(tmp_path / "rates", {}, results.provenance(made), given.arrays())
    args = ["--rates=rates", "--combine=balanced", "--exclude_dead", *SMALL[1:]]
    done = run("detect", f"--generator={name}", *args, "--out=found", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    result = results.load(tmp_path / "found")
    assert "classes" not in result.summary
    assert result.summary["told"] == {}
    generator, params = zoo.load_generator(name)
    found = detection.detect(
        generator,
        params,
        rates.low_rate(given, 0.3, dead=False),
        100,
        sweep(),
        first_index=64,
    )
    np.testing.assert_allclose(result.arrays["score"], found.balanced_score)
    assert result.summary["score"]["kind"] == "balanced"


BAD = [
    (
        ["--labels=labels.csv", "--noise=random"],
        "labels are of images with constant noise, not --noise=random: leave it out",
    ),
    (["--ends=51"], "51 at each end of 100 samples overlap; give more samples"),
    (["--labels=labels.csv"], "has 1 artifact and 2 normal samples of --seed=0; at least 2 of"),
    (["--rates=rates"], "--rates has its own number of samples: leave --rates_samples out"),
    (["--layers="], "--layers is empty; give some, or leave it out for the paper's"),
    (
        ["--threshold=0", "--exclude_dead"],
        "every sample activates 0 LR neurons; give another --threshold",
    ),
]


@pytest.mark.parametrize(("args", "message"), BAD, ids=lambda x: x[0] if type(x) is list else "")
def test_bad_input_is_one_line_and_makes_no_result(args, message, models, tmp_path):
    rows = "1,0,artifact\n2,0,normal\n3,0,normal\n4,1,artifact\n"
    (tmp_path / "labels.csv").write_text("index,seed,label\n" + rows)
    done = run("detect", models[0], *SMALL, *args, "--out=new", cwd=tmp_path)
    assert done.returncode == 1
    line = done.stderr.strip().splitlines()[-1]
    assert line.startswith("error: ")
    assert message in line
    assert not (tmp_path / "new" / "result.json").exists()
