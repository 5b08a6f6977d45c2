"""The studies of Tousi 2021 from Python, with models and arrays in hand."""

import numpy as np
import pytest

from ganfail_jax import results
from ganfail_jax.analysis.correction import layers_to
from ganfail_jax.data.image_sets import in_memory
from ganfail_jax.data.labels import of_kinds
from ganfail_jax.errors import InputError
from ganfail_jax.jobs import Run
from ganfail_jax.metrics.features import classifier_features
from ganfail_jax.runtime import Sweep, data_mesh
from ganfail_jax.studies import (
    artifact_case,
    correct,
    corrected_images,
    correction_tables,
    d_values,
    defective_scores,
    defects,
    images,
    subject,
    tables,
    unit_fid,
    units,
)
from ganfail_jax.studies.corrected_images import Compared
from ganfail_jax.studies.corrections import Corrections
from ganfail_jax.types import Discriminator
from tests import tiny

SAMPLES = {
    "train": {"artifact": [4, 9, 2], "normal": [0, 1]},
    "held_out": {"artifact": [6, 20, 7], "normal": [8, 10, 12, 13]},
}
LAYERS = ["b0004/conv1", "b0008/conv0"]
SETTINGS = defective_scores.Settings(tau=0.2, threshold_samples=20)
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def generator():
    own = tiny.models()
    return subject.of_generator(own.generator, own.generator_params, "g")


@pytest.fixture(scope="module")
def features():
    own = tiny.models()
    return classifier_features("c", own.classifier, own.classifier_params, "weights")


@pytest.fixture(scope="module")
def case(generator):
    own = tiny.models()
    classifier = own.classifier._replace(class_names=("normal", "artifact", "real"))
    about = {"seed": 3, "samples": SAMPLES, **generator.identity}
    return artifact_case.with_classifier(generator, classifier, own.classifier_params, about)


def corrections_of(case, **others):
    source = defective_scores.make(case, LAYERS, SETTINGS)
    return Corrections(case, source, per_sample=False, **others)


def test_defects_are_read_back_as_a_source(case, tmp_path):
    settings = defects.Settings(SETTINGS, LAYERS, shown=2)
    result = defects.plan(case, settings, Run(out=str(tmp_path))).run()
    made = defective_scores.make(case, LAYERS, SETTINGS)
    known = defective_scores.read(str(tmp_path), case, LAYERS)
    assert known.identity == made.identity
    assert (known.layers, made.layers) == (LAYERS, LAYERS)
    sweep = Sweep(64, data_mesh())
    for own, read in zip(made.units(sweep), known.units(sweep), strict=True):
        assert list(own) == list(read) == LAYERS
        for name in LAYERS:
            np.testing.assert_array_equal(own[name], read[name])
    highest = result.summary["layers"][LAYERS[0]]["top"][0]
    assert highest["score"] == known.units(sweep).scores[LAYERS[0]].max()


def test_defects_that_do_not_fit(case, tmp_path):
    sizes = {name: case.models.generator.layers[name].channels for name in LAYERS}
    arrays = {
        f"{k}/{n}": np.ones(size) for k in ("scores", "thresholds") for n, size in sizes.items()
    }
    first = f"scores/{LAYERS[0]}"
    whole = case.identity | defective_scores.Settings()._asdict()
    for made, changed, message in (
        ({}, {first: np.ones(1)}, r"has the shape \(1,\), these models need \(6,\)"),
        ({}, {first: np.full(6, np.nan)}, "has other than finite numbers"),
        ({}, {first: np.full(6, "x")}, "has other than finite numbers"),
        ({"tau": [None]}, {}, r"tau is '\[None\]'; make the result anew"),
        ({"mask_threshold": 2.0}, {}, "--mask_threshold is at least 0 and less than 1, not 2"),
        ({"order": "none"}, {}, "--order is threshold_then_upsample or .*, not 'none'"),
    ):
        results.save(tmp_path, {}, results.provenance(whole | made), arrays | changed)
        with pytest.raises(InputError, match=message):
            defective_scores.read(str(tmp_path), case, LAYERS)
    results.save(tmp_path, {}, results.provenance(case.identity), arrays)
    with pytest.raises(InputError, match="no tau, threshold_samples, mask_threshold, order in its"):
        defective_scores.read(str(tmp_path), case, LAYERS)
    results.save(tmp_path, {}, results.provenance(whole), arrays)
    assert defective_scores.read(str(tmp_path), case, LAYERS).layers == LAYERS


def test_a_classifier_of_artifacts_whose_samples_cannot_be(generator):
    own = tiny.models()
    classifier = own.classifier._replace(class_names=("normal", "artifact", "real"))
    about = {"seed": 3, "samples": SAMPLES, **generator.identity}
    held_out = {"artifact": [6], "normal": [8]}
    for change, message in (
        ({"seed": 3.7}, "was not made by train.artifact_classifier"),
        ({"seed": -1}, "a seed or an index that cannot be"),
        ({"samples": {**SAMPLES, "train": {"artifact": [4.5], "normal": [0]}}}, "was not made by"),
        ({"samples": {**SAMPLES, "train": {"artifact": [-4], "normal": [0]}}}, "that cannot be"),
        ({"samples": {"train": held_out, "held_out": held_out}}, "has a sample twice"),
    ):
        with pytest.raises(InputError, match=message):
            artifact_case.with_classifier(
                generator, classifier, own.classifier_params, about | change
            )


def test_layers_are_those_up_to_the_papers_last_unless_given(case):
    layers = case.models.generator.layers
    with pytest.raises(InputError, match="no layer 'tousi:6'"):
        defects.plan(case)  # the tiny generator has no such layer
    job = defects.plan(case, defects.Settings(layers=layers_to(layers, "b8.conv0")))
    assert job.identity["layers"] == LAYERS
    assert str(job.folder) == "runs/defects/g-3"


def test_shares_that_leave_nothing(case):
    for bad, message in (
        (SETTINGS._replace(tau=1.0), "--tau is at least 0 and less than 1, not 1"),
        (SETTINGS._replace(mask_threshold=-0.5), "--mask_threshold is at least 0 .* not -0.5"),
    ):
        with pytest.raises(InputError, match=message):
            defective_scores.make(case, LAYERS, bad)
        with pytest.raises(InputError, match=message):
            defects.plan(case, defects.Settings(bad, LAYERS))


def test_corrections_return_their_result(case, tmp_path):
    settings = correct.Settings(methods=["ds"], share=0.5, units=[1], shown=1)
    run = Run(batch_size=4, out=str(tmp_path))
    result = correct.plan(corrections_of(case), settings, run).run()
    methods = result.summary["methods"]["artifacts"]
    assert list(methods) == ["none", "ds", "manual"]
    change = result.arrays["artifacts/change"]
    assert change[0].max() == 0 < change[1:].min()
    assert correct.plan(corrections_of(case), settings, run).run().summary == result.summary


def test_corrections_that_cannot_be_made(case):
    for settings, message in (
        (correct.Settings(methods=["fid"]), "the method fid needs --unit_fid"),
        (correct.Settings(methods=[]), "--methods is empty"),
        (correct.Settings(methods=["manual"]), "no correction 'manual'"),
        (correct.Settings(units=[4]), "no unit 4 in a layer of units 0 to 3"),
        (correct.Settings(share=1.5), "a share of the units is between 0 and 1, not 1.5"),
    ):
        with pytest.raises(InputError, match=message):
            correct.plan(corrections_of(case), settings)
    bare = case._replace(held_out=of_kinds([6], []))
    with pytest.raises(InputError, match="has no held-out normals to measure on"):
        correct.plan(corrections_of(bare))


def test_the_fid_of_units_is_read_by_corrections(generator, features, case, tmp_path):
    settings = units.Settings(
        num_samples=20, fid_top=4, top=2, clusters=1, layers=LAYERS[1:], units=[3, 0, 3]
    )
    job = units.plan(generator, units.Reference(features, None), settings, Run(out=str(tmp_path)))
    assert job.shown["units"] == [3, 0]
    result = job.run()
    fid = unit_fid.read(str(tmp_path), case.identity, {LAYERS[1]: 4})
    np.testing.assert_array_equal(fid.fid[LAYERS[1]], result.arrays[f"fid/{LAYERS[1]}"])
    own = corrections_of(case, unit_fid=fid)
    assert own.identity["unit_fid"]["fid_top"] == 4
    assert "fid" in correct.plan(own).identity["methods"]
    assert "fid" not in correct.plan(corrections_of(case)).identity["methods"]


def test_a_table_of_corrections(case, features, tmp_path):
    real = images.of_images("r", in_memory(RNG.integers(0, 256, (9, 8, 8, 1), np.uint8)))
    settings = corrected_images.Settings(num_artifacts=5, candidates=0, num_real=9)
    compared = Compared(corrections_of(case), features, real, settings)
    table = correction_tables.ablated_units(compared, numbers=[1, 4, 1])
    result = tables.plan(table, Run(batch_size=4, out=str(tmp_path))).run()
    cells = [(cell["row"], cell["column"]) for cell in result.summary["cells"]]
    rows = ("uncorrected", "DS", "Random")
    assert cells == [(row, n) for row in rows for n in ("1 unit", "4 units")]
    assert result.arrays["artifacts"].tolist() == SAMPLES["held_out"]["artifact"]
    few = corrected_images.Settings(candidates=0, neighbours=9)
    with pytest.raises(InputError, match="r has 9 images; more than 9 are needed"):
        correction_tables.stopping_layer(compared._replace(settings=few), stops=LAYERS)
    with pytest.raises(InputError, match="a share of the units is between 0 and 1, not 2"):
        correction_tables.stopping_layer(compared, stops=LAYERS, shares=[2.0])


def test_d_values_of_a_discriminator_in_hand(generator, tmp_path):
    score = lambda params, images, label=None: (images * params).sum(axis=(1, 2, 3))  # noqa: E731
    judge = d_values.judge(Discriminator((8, 8, 1), 3, score), np.ones((8, 8, 1)), "d")
    labels = of_kinds([3, 4], [0, 1, 2])
    result = d_values.plan(generator, judge, labels, run=Run(out=str(tmp_path))).run()
    assert result.arrays["indices"].tolist() == [3, 4, 0, 1, 2]
    identity = result.provenance["identity"]
    assert identity["labels"] == labels.key
    assert labels.key != of_kinds([3], [0, 1, 2, 4]).key
    assert (identity["seed"], identity["relation"]) == (0, "of unknown training")
    other = judge._replace(discriminator=judge.discriminator._replace(num_classes=2))
    with pytest.raises(InputError, match="discriminator d knows 2 classes, but the generator 3"):
        d_values.plan(generator, other, labels)
