"""Studies that mean nothing say so, first; others are silent."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax.analysis import ranking
from ganfail_jax.analysis.rates import Rates
from ganfail_jax.analysis.samples import Samples, collect
from ganfail_jax.jobs import Job, Run
from ganfail_jax.runtime import Sweep, data_mesh
from ganfail_jax.studies import correct, subject, warnings
from tests import tiny
from tests.analysis.made_up import make_ranking

RNG = np.random.default_rng(0)
TARGET = np.arange(300) % 3
CLEAR = 8 * np.eye(3)[TARGET] + RNG.normal(size=(300, 3))
NOISE = RNG.normal(size=(300, 3))


@pytest.fixture(scope="module")
def studied():
    own = tiny.models()
    generator = subject.of_generator(own.generator, own.generator_params, "g")
    classifiers = {name: (own.classifier, own.classifier_params) for name in ("c", "d")}
    return subject.with_classifiers(generator, classifiers)


def only(studied):
    """The first classifier alone."""
    identity = {**studied.identity, "classifiers": ["c"]}
    return studied._replace(models=studied.models[:1], identity=identity)


def samples(*logits):
    logits = np.stack(logits).astype(np.float32)
    right = logits.argmax(axis=2) == TARGET
    right[0, :1] = False  # one error
    return Samples(np.arange(300), np.zeros((300, 2), np.float32), logits, TARGET, right)


CASES = {  # logits of a second classifier -> what is said of it
    "good": (np.where(np.arange(300)[:, None] == 4, -CLEAR, CLEAR), None),
    "chance": (NOISE, "the accuracy of d is at chance: "),
    "one class": (np.add(NOISE, [9, 0, 0]), "d predicts a for all 300 samples"),
    "all right": (CLEAR, "all 300 samples are well classified (d)"),
    "all wrong": (-CLEAR, "all 300 samples are misclassified (d)"),
    "one image": (np.repeat(NOISE[:1], 300, axis=0), "d has the same output for all samples"),
    "one of each class": (NOISE[TARGET], "d has the same output for all samples of a class"),
}


@pytest.mark.parametrize("case", CASES)
def test_samples(studied, case):
    logits, expected = CASES[case]
    lines = warnings.of_samples(samples(CLEAR, logits), studied)
    assert len(lines) == (expected is not None)
    assert not lines or lines[0].startswith(expected)


def test_classifiers_that_agree_everywhere(studied):
    drawn = samples(CLEAR, NOISE)
    assert warnings.of_agreement(drawn, studied) == []
    same = drawn._replace(right=drawn.right[[0, 0]])
    (line,) = warnings.of_agreement(same, studied)
    assert line == "d and c are right on the same samples: nothing to compare"


def test_gradients(studied):
    good = make_ranking(RNG.normal(size=(4, 5)), ("all", *tiny.CLASS_NAMES))
    good = good._replace(standard_error=np.full((4, 5), 0.01))
    one = only(studied)
    assert warnings.of_gradients([good, good], studied) == []
    zero = good._replace(score=np.zeros((4, 5)))
    lines = warnings.of_gradients([good, zero], studied)
    assert lines == ["all scores of d are 0: their order means nothing"]
    of_a = good._replace(score=np.where(np.arange(4)[:, None] == 1, 0, good.score))
    lines = warnings.of_gradients([of_a], one)
    assert lines == ["all scores of c of a are 0: their order means nothing"]
    missing = of_a._replace(num_samples=np.asarray([10, 0, 5, 5]))
    assert warnings.of_gradients([missing], one) == []
    same = good._replace(standard_error=1e-8 * np.abs(good.score))
    (line,) = warnings.of_gradients([same], one)
    assert line.startswith("all samples of a class have the same gradient of c: the generator")
    guessing = good._replace(accuracy=np.full(4, 0.4), num_samples=np.asarray([30, 10, 10, 10]))
    (line,) = warnings.of_ranking(guessing, one)
    assert line.startswith("the accuracy of c is at chance: 40.0% [")
    assert warnings.of_ranking(guessing._replace(accuracy=np.full(4, 0.9)), one) == []


RATES = {  # counts of a layer, of ten samples -> what is said
    "some": ([[0, 1], [6, 10]], []),
    "dead": ([[0, 0], [0, 0]], ["no neuron of l is ever activated"]),
    "none rare": ([[9, 5], [6, 10]], ["no neuron is LR: each is activated by more than 0.3 of"]),
    "rare and dead": ([[0, 5], [6, 10]], ["no LR neuron is ever activated"]),
    "one image": ([[0, 10], [10, 10]], ["every neuron is activated by all", "no LR neuron"]),
}


@pytest.mark.parametrize("case", RATES)
def test_rates(case):
    counts, expected = RATES[case]
    rates = Rates({"l": np.asarray(counts)[..., None]}, 10)
    lines = warnings.of_rates(rates, 0.3)
    assert len(lines) == len(expected)
    for line, start in zip(lines, expected, strict=True):
        assert line.startswith(start)


def test_labels_and_values():
    assert warnings.of_labels(np.asarray([True, False])) == []
    (line,) = warnings.of_labels(np.asarray([False, False]))
    assert line == "all 2 samples are normal (by their labels): nothing to compare them with"
    assert warnings.of_values(NOISE, "x") == []
    (line,) = warnings.of_values(np.ones((4, 3)), "real images have the same features")
    assert line == "all 4 real images have the same features: are they one image?"


def effects(**called):
    row = lambda share, change: {"called": {"value": share}, "change": {"value": change}}  # noqa: E731
    return {kind: {"none": row(share, 0.0), "ds": row(share, 1.0), "fid": row(share, 0.0)}
            for kind, share in called.items()}  # fmt: skip


def test_corrections():
    sizes = {"artifacts": 100, "normals": 200}
    lines = correct._warnings(sizes, effects(artifacts=0.8, normals=0.1))
    assert lines == ["fid changes no pixel"]
    first, _ = correct._warnings(sizes, effects(artifacts=0.3, normals=0.3))
    assert "are not called artifacts more often than normals (30 of 100 and 60 of 200)" in first


def test_a_job_prints_warnings_first_and_keeps_them(tmp_path, capsys):
    job = Job(
        folder=tmp_path,
        identity={},
        subject="x",
        compute=lambda _: ({"warnings": ["it means nothing"], "n": 1}, {}),
        draw=lambda *_: (),
        describe=lambda summary: [f"n = {summary['n']}"],
        settings=Run(),
    )
    for _ in range(2):  # made, and read again
        assert job.run().summary["warnings"] == ["it means nothing"]
        printed = capsys.readouterr().out.splitlines()
        assert printed[1:3] == ["warning: it means nothing", "n = 1"]


@pytest.mark.parametrize("case", ["black", "one of each class"])
def test_a_generator_of_one_image(studied, case):
    """By real gradients: of nothing but zeros, and of truncation to the mean latent."""
    own, psi = tiny.models(), 1.0 if case == "black" else 0.0
    if case == "black":
        own = own.with_params((jax.tree.map(jnp.zeros_like, own.params[0]), own.params[1]))
    sweep = Sweep(9, data_mesh())
    ranked = ranking.rank(own, 9, sweep, replicates=2, truncation_psi=psi)
    (line,) = warnings.of_gradients([ranked], only(studied))
    start = "all scores of c are 0" if case == "black" else "all samples of a class have"
    assert line.startswith(start)
    drawn = collect([own], 9, sweep, truncation_psi=psi)
    (line,) = warnings.of_samples(drawn, only(studied))
    assert line.startswith("c has the same output for all samples of a class")
