"""The studies of Le Coz 2022 from Python, with models and arrays in hand."""

from hashlib import sha256

import numpy as np
import pytest

from ganfail_jax import results
from ganfail_jax.analysis.separation import Histograms, Separation
from ganfail_jax.errors import InputError
from ganfail_jax.jobs import Run
from ganfail_jax.studies import corner_cases, embed, histograms, rankings, shift, subject
from tests import tiny

DIMS = sum(tiny.models().generator.style_dims.values())


@pytest.fixture(scope="module")
def studied():
    own = tiny.models()
    generator = subject.of_generator(own.generator, own.generator_params, "g")
    classifiers = {"c": (own.classifier, own.classifier_params)}
    return subject.with_classifiers(generator, classifiers)


@pytest.fixture(scope="module")
def source(studied):
    return rankings.make(studied, rankings.Settings(num_samples=30))


def test_a_result_comes_back_typed(studied, source, tmp_path):
    settings = histograms.Settings(num_samples=60, top=3, panels=2)
    run = Run(batch_size=30, out=str(tmp_path / "out"))
    result = histograms.plan(studied, source, settings, run).run()
    separation = results.restore(Separation, result.arrays)
    shown = results.restore(Histograms, result.arrays, "shown_")
    assert separation.groups == ("all", *tiny.CLASS_NAMES, "within classes")
    assert separation.num_samples[0].sum() == len(shown.right) == 60
    np.testing.assert_array_equal(shown.dims[0], separation.order[0, :2])
    everything = result.summary["groups"]["all"]["separation"]
    assert everything["median_auc"]["top"]["value"] == separation.medians[0, 0, 0]
    again = histograms.plan(studied, source, settings, run).run()
    assert again.summary == result.summary  # with its seconds: it is not computed again


def test_the_ranking_is_part_of_the_identity(studied, source):
    job = shift.plan(studied, source, shift.Settings(progress=(0, 0.5, "1.1")))
    assert job.identity["ranking"] == {
        **rankings.Settings(num_samples=30)._asdict(),
        "noise": studied.identity["noise"],
    }
    assert job.identity["progress"] == ["0", "0.5", "1.1"]  # as flags give them
    assert str(job.folder) == "runs/shift/g-c-0"


def test_styles_in_hand_identify_corner_cases(studied, source):
    style = np.random.default_rng(0).normal(size=DIMS)
    settings = corner_cases.Settings(start="mine")
    job = corner_cases.plan(studied, source, settings, styles=style)
    expected = sha256(style.astype(np.float32).tobytes()).hexdigest()
    assert (job.identity["start"], job.identity["start_sha256"]) == ("mine", expected)
    by_class = corner_cases.Settings(start="mine", classes=("a",))
    corner_cases.plan(studied, source, by_class, styles=np.tile(style, (3, 1)))
    assert "start_sha256" not in corner_cases.plan(studied, source).identity
    for bad, styles, message in (
        (settings, style[1:], rf"mine holds \({DIMS - 1},\); a style is \({DIMS},\), one for"),
        (settings, np.full(DIMS, np.nan), "mine holds something other than finite numbers"),
        (by_class, style, "a single style is of the class predicted: leave --classes out"),
        (settings, None, "--start=mine is neither mean, nor a number, nor"),
    ):
        with pytest.raises(InputError, match=message):
            corner_cases.plan(studied, source, bad, styles=styles)


def test_truncation_of_a_generator_without_any_is_refused(studied, source):
    generator = studied.generator
    plain = generator._replace(generator=generator.generator._replace(mapping=None))
    models = tuple(each._replace(generator=plain.generator) for each in studied.models)
    without = studied._replace(models=models)
    with pytest.raises(InputError, match="g has no truncation; --truncation_psi must be 1"):
        embed.plan(without, embed.Settings(truncation_psi=0.7))
    with pytest.raises(InputError, match="g has no truncation; --truncation_psi must be 1"):
        shift.plan(without, source, shift.Settings(truncation_psi=0.7))
