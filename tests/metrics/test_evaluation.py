"""Each metric is that of its own function on its own number of images."""

import re

import numpy as np
import pytest

from ganfail_jax.errors import InputError
from ganfail_jax.metrics.evaluation import measure, requests
from ganfail_jax.metrics.frechet import feature_set, frechet
from ganfail_jax.metrics.kernel import kid
from ganfail_jax.metrics.precision_recall import manifold, precision_recall

RNG = np.random.default_rng(0)
REAL = RNG.normal(size=(50, 4)).astype(np.float32)
FAKE = (RNG.normal(size=(40, 4)) * 0.8 + 0.3).astype(np.float32)


def of(n, k=3):
    return precision_recall(manifold(REAL, k), manifold(FAKE[:n], k), features="x")


def test_every_metric_takes_its_own_number_of_images():
    asked = {"fid": 40, "kid": 30, "pr": 20, "realism": 25}
    found, scores = measure(asked, REAL, FAKE, features="x")
    pr, realism = of(20), of(25)
    assert found == [
        frechet(feature_set(REAL), FAKE, features="x"),
        kid(REAL, FAKE[:30], features="x"),
        *(pr.precision, pr.recall, pr.density, pr.coverage),
        realism.realism,
    ]
    assert [each.samples["generated"] for each in found] == [40, 30, 20, 20, 20, 20, 25]
    np.testing.assert_array_equal(scores, realism.scores)


def test_neighbourhoods_are_compared_once_where_the_numbers_are_the_same(monkeypatch):
    sizes = []

    def counted(features, k):
        sizes.append((len(features), k))
        return manifold(features, k)

    monkeypatch.setattr("ganfail_jax.metrics.evaluation.manifold", counted)
    found, scores = measure({"pr": 30, "realism": 30}, REAL, FAKE, features="x", neighbours=2)
    assert sizes == [(50, 2), (30, 2)]
    assert found[0] == of(30, k=2).precision
    np.testing.assert_array_equal(scores, of(30, k=2).scores)


@pytest.mark.parametrize(("name", "metrics"), [("fid", ["FID"]), ("realism", ["realism"])])
def test_only_what_is_asked_for(name, metrics):
    found, scores = measure({name: 40}, REAL, FAKE, features="x")
    assert [each.metric for each in found] == metrics
    assert (scores is None) == (name != "realism")


def test_numbers_of_images():
    assert requests(["fid50k", "kid", "pr1k"], 70) == {"fid": 50_000, "kid": 70, "pr": 1000}


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (["fid", "is"], "--metrics has 'is'; give each of fid, kid, pr and realism at most once"),
        (["fid", "fid2k"], "--metrics has 'fid2k'; give each of fid, kid, pr and realism at most"),
        (["fid0k"], "--metrics has 'fid0k'; give each"),
        ([], "--metrics is empty; give some of fid, kid, pr and realism"),
    ],
)
def test_what_is_no_metric(asked, message):
    with pytest.raises(InputError, match=f"^{re.escape(message)}"):
        requests(asked, 10)
