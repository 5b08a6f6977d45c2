"""`python -m analyze.table` of Tousi 2021 on tiny models: the numbers are those of the images."""

import zlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax import results, zoo
from ganfail_jax.data.image_folder import read_folder
from ganfail_jax.data.image_sets import in_memory
from ganfail_jax.images import to_uint8
from ganfail_jax.latents import generate
from ganfail_jax.metrics.features import classifier_features, extract_features
from ganfail_jax.metrics.frechet import feature_moments, frechet_distance
from ganfail_jax.metrics.table import restore
from ganfail_jax.studies.unit_fid import FID
from ganfail_jax.weights import store
from tests.analyze.commands import only_folder, run
from tests.analyze.conftest import LABELLED

SCORED = ["--threshold_samples=40", "--tau=0.2"]
UNIT_FID = np.arange(4.0)  # of the last of these layers
DS = {"b0004/conv1": np.array([2.0, 5, 1, 4, 3, 0]), "b0008/conv0": np.array([4.0, 1, 2, 0])}
LAST = "b0008/conv0"
ROWS = ["Random", "FID", "DS", "Sequential", "Local", "Artifacts", "Normals"]


@pytest.fixture(scope="module")
def artifacts(folders, tmp_path_factory):
    """The artifact classifier, its bias such that it calls half of the images so."""
    folder = tmp_path_factory.mktemp("models") / "halving"
    generator, own = zoo.load_generator(str(folders / "generator"))
    classifier, params = zoo.load_classifier(str(folders / "artifacts"))

    @jax.jit
    def logits(own, params):
        return classifier.logits(params, generate(generator, own, 3, jnp.arange(60))[0])

    middle = np.median(np.asarray(logits(own, params)) @ [1, -1, 0])  # normal over artifact
    bias = params["dense"]["bias"] + np.array([0, middle, -1e3])
    stored = zoo.read_classifier(str(folders / "artifacts"))
    params = {**params, "dense": {**params["dense"], "bias": bias}}
    store.save(folder, "classifier", stored.config, params, stored.about)
    return folder


@pytest.fixture(scope="module")
def unit_fid(folders, tmp_path_factory):
    """As analyze.units writes it."""
    folder = tmp_path_factory.mktemp("units")
    sha256 = zoo.read_generator(str(folders / "generator")).sha256
    made_by = results.provenance({"generator": "generator", "generator_sha256": sha256})
    results.save(folder, {}, made_by, {FID + LAST: UNIT_FID})
    return folder


@pytest.fixture(scope="module")
def defects(folders, artifacts, tmp_path_factory):
    """As analyze.defects writes it."""
    folder = tmp_path_factory.mktemp("defects")
    identity = {
        "generator_sha256": zoo.read_generator(str(folders / "generator")).sha256,
        "artifact_classifier_sha256": zoo.read_classifier(str(artifacts)).sha256,
        "tau": 0.2,
        "threshold_samples": 40,
        "mask_threshold": 0.3,
        "order": "threshold_then_upsample",
    }
    arrays = {f"scores/{layer}": scores for layer, scores in DS.items()}
    arrays |= {f"thresholds/{layer}": np.zeros(len(scores)) for layer, scores in DS.items()}
    results.save(folder, {}, results.provenance(identity), arrays)
    return folder


@pytest.fixture(scope="module")
def flags(models, artifacts):
    chosen = [*models, f"--artifact_classifier={artifacts}", "--features=classifier"]
    return [*chosen, "--batch_size=10", "--candidates=60"]


def measured(done, folder):
    """The cells of a table by row and column, and its arrays."""
    assert done.returncode == 0, done.stderr
    files = sorted(path.name for path in folder.iterdir())
    assert files == ["result.json", "result.npz", "table.csv", "table.md", "table.png"]
    assert (folder / "table.md").read_text().rstrip() in done.stdout
    result = results.load(folder)
    cells = list(map(restore, result.summary["cells"]))
    found = {(cell.row, cell.column): cell.measured for cell in cells}
    assert len(found) == len(cells)
    return found, result.arrays


def factors(row):
    """What multiplies the units of each layer; half of them are corrected."""
    made = {layer: np.ones(len(scores)) for layer, scores in DS.items()}
    order = {"FID": np.argsort(-UNIT_FID), "DS": np.argsort(-DS[LAST])}
    order["Random"] = np.random.default_rng([0, zlib.crc32(LAST.encode())]).permutation(4)
    if row in order:
        made[LAST][order[row][:2]] = 0
    if row == "Sequential":
        for layer, scores in DS.items():
            top = np.argsort(-scores)[: len(scores) // 2]
            made[layer][top] = 0.9 * (1 - scores / scores.max())[top]
    return made


def test_correction_fid(flags, models, artifacts, defects, unit_fid, pictures, tmp_path):
    args = [*flags, "--table=correction_fid", "--stop=b8.conv0", "--share=0.5", "--scores=global"]
    args += [f"--unit_fid={unit_fid}", f"--images={pictures}", "--num_artifacts=12"]
    args += ["--random_draws=2"]
    done = run("table", *args, f"--defects={defects}", cwd=tmp_path)
    folder = only_folder(tmp_path, "correction_fid")
    found, arrays = measured(done, folder)
    assert list(found) == [(row, "FID") for row in ROWS]
    for row, kind in (("Random", "artifacts"), ("Artifacts", "artifacts"), ("Normals", "normals")):
        sizes = {f"held-out {kind}": 3, f"{kind} by the classifier's word": 9}
        assert found[row, "FID"].samples == {"real": 40, **sizes}
        warning = f"9 of 12 {kind} were not labelled but classified so"
        assert warning in found[row, "FID"].warnings[-1]
        assert warning in done.stdout
    values = {row: found[row, "FID"].value for row in ROWS}
    draws = found["Random", "FID"].draws
    assert len(draws) == 2
    assert draws[0] != draws[1]
    assert values["Random"] == pytest.approx(np.mean(draws))
    assert "and over 2 random draws; ± standard deviation" in done.stdout
    assert not found["DS", "FID"].draws
    assert len({*values.values()}) == len(ROWS)

    generator, classifier = (flag.partition("=")[2] for flag in models)
    (generator, own), (classifier, params) = (
        zoo.load_generator(generator),
        zoo.load_classifier(classifier),
    )

    @jax.jit
    def render(params, indices, factors):
        edits = {layer: lambda x, f=f: x * f for layer, f in factors.items()}
        return generate(generator, params, 3, indices, edits)[0]

    first = 21  # beyond all labelled ones
    made = render(own, jnp.arange(first, first + 60), factors("Artifacts"))
    judge, judging = zoo.load_classifier(str(artifacts))
    called = np.argmax(judge.logits(judging, made), axis=1) == judge.class_names.index("artifact")
    for kind, so in (("artifact", called), ("normal", ~called)):
        expected = [*LABELLED["held_out"][kind], *(first + np.flatnonzero(so))[:9]]
        assert arrays[f"{kind}s"].tolist() == expected

    features = classifier_features("c", classifier, params)
    real = feature_moments(extract_features(features, read_folder(pictures, (8, 8, 1))))
    for row in (each for each in ROWS if each != "Local"):
        indices = arrays["normals" if row == "Normals" else "artifacts"]
        made = render(own, jnp.asarray(indices), factors(row))
        seen = extract_features(features, in_memory(to_uint8(np.asarray(made))), batch_size=12)
        expected = frechet_distance(real, feature_moments(seen))
        measured_value = draws[0] if row == "Random" else values[row]
        assert measured_value == pytest.approx(expected, rel=1e-3), row


def test_stopping_layer_against_the_generators_own_normals(flags, tmp_path):
    """Labelled artifacts alone, but of the reference all but one are called normal."""
    args = [*flags, *SCORED, "--table=stopping_layer", "--reference=normals", "--shares=0,0.5"]
    args += ["--stops=b4.conv1,b8.conv0", "--num_artifacts=2", "--neighbours=1"]
    done = run("table", *args, cwd=tmp_path)
    found, arrays = measured(done, only_folder(tmp_path, "stopping_layer"))
    layers = ["b0004/conv1", "b0008/conv0"]
    metrics = [f"{name} against the generator's own normals" for name in ("FID", "realism")]
    rows = ["uncorrected", "n = 0 %", "n = 50 %"]
    assert list(found) == [(f"{m}, {r}", layer) for m in metrics for r in rows for layer in layers]
    for metric in metrics:
        before = found[f"{metric}, uncorrected", layers[0]].value
        for layer in layers:
            same, other = (found[f"{metric}, {row}", layer].value for row in rows[1:])
            assert same == pytest.approx(before, rel=1e-3)
            assert abs(other / before - 1) > 1e-3
    further = len(arrays["reference"]) - 1
    assert arrays["artifacts"].tolist() == LABELLED["held_out"]["artifact"][:2]
    assert [*arrays["normals"], arrays["reference"][0]] == LABELLED["held_out"]["normal"]
    assert arrays["reference"][1:].min() > 20  # beyond all labelled ones
    for each in found.values():
        assert each.samples == {
            "held-out reference normals": 1,
            "reference normals by the classifier's word": further,
            "held-out artifacts": 2,
            "artifacts by the classifier's word": 0,
        }
        (warning,) = (text for text in each.warnings if "not labelled" in text)
        assert f"{further} of {further + 1} reference normals were not labelled" in warning
        assert warning in done.stdout
    assert not set(arrays["reference"]) & {*arrays["artifacts"], *arrays["normals"]}


def test_all_units_are_all_units_in_any_order(flags, unit_fid, pictures, tmp_path):
    args = [*flags, *SCORED, "--table=ablated_units", f"--images={pictures}", "--stop=b8.conv0"]
    args += ["--numbers=1,4", f"--unit_fid={unit_fid}", "--scores=global", "--num_artifacts=12"]
    args += ["--random_draws=2"]
    done = run("table", *args, cwd=tmp_path)
    found, _ = measured(done, only_folder(tmp_path, "ablated_units"))
    rows = ["uncorrected", "DS", "Random", "FID"]
    assert list(found) == [(row, n) for row in rows for n in ("1 unit", "4 units")]
    values = {key: each.value for key, each in found.items()}
    assert values["DS", "4 units"] == pytest.approx(values["Random", "4 units"], rel=1e-5)
    assert found["Random", "4 units"].spread == pytest.approx(0, abs=1e-9)
    assert values["DS", "4 units"] == pytest.approx(values["FID", "4 units"], rel=1e-5)
    assert values["DS", "4 units"] > values["uncorrected", "4 units"]


def test_bad_input_is_one_line_and_writes_nothing(flags, pictures, tmp_path):
    correction, images = "--table=correction_fid", f"--images={pictures}"
    stop = "--stop=b8.conv0"
    bad = [
        ([correction, images, "--ends=9"], "--ends does not change table correction_fid"),
        (["--table=top_bottom", images], "--artifact_classifier does not change table top_bottom"),
        ([correction, images, stop, "--truncation_psi=0.5"], "--truncation_psi must be 1"),
        ([correction, stop, "--images=nope"], "; or --reference=normals compares with the generat"),
        (["--table=stopping_layer", images, "--shares=0.1,x"], "--shares has what is not a number"),
        (
            ["--table=ablated_units", images, stop, "--numbers=2,5"],
            "--numbers has 5, but layer b0008/conv0 has units 1 to 4",
        ),
        (
            ["--table=stopping_layer", images, "--num_artifacts=3"],
            "--num_artifacts=3 must be more than --neighbours=3",
        ),
        (
            ["--table=stopping_layer", images, "--neighbours=40"],
            f"{pictures.name} has 40 images; more than 40 are needed",
        ),
    ]
    for args, message in bad:
        done = run("table", *flags, *args, cwd=tmp_path)
        (line,) = done.stderr.strip().splitlines()
        assert done.returncode == 1, args
        assert message in line
        assert not list(tmp_path.iterdir())


def test_too_few_samples_are_refused_before_units_are_scored(flags, tmp_path):
    args = [*flags, *SCORED, "--table=stopping_layer", "--reference=normals", "--candidates=0"]
    done = run("table", *args, "--out=new", cwd=tmp_path)
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("error: "))
    message = "only 1 artifacts and as many normals, but more than 3 are needed: give more --candi"
    assert message in line
    assert "quantiles" not in done.stderr
    assert not list((tmp_path / "new").iterdir())
