"""What a classifier of artifacts remembers, and the samples beside the labelled ones."""

import numpy as np
import pytest

from ganfail_jax import zoo
from ganfail_jax.errors import InputError
from ganfail_jax.studies import artifact_case, subject
from ganfail_jax.weights import store
from tests.analyze.commands import run
from tests.analyze.conftest import LABELLED


@pytest.fixture(scope="module")
def about(folders):
    return zoo.read_classifier(str(folders / "artifacts")).about


def case(folders, about):
    """With models in hand, whose parameters' bytes identify them."""
    generator = subject.of_generator(*zoo.load_generator(str(folders / "generator")), "mine")
    about = {**about, "generator_sha256": generator.identity["generator_sha256"]}
    return artifact_case.with_classifier(
        generator, *zoo.load_classifier(str(folders / "artifacts")), about
    )


def test_it_remembers_its_samples(folders, about):
    made = case(folders, about)
    for part in ("train", "held_out"):
        labelled = getattr(made, part)
        np.testing.assert_array_equal(labelled.artifacts, LABELLED[part]["artifact"])
        np.testing.assert_array_equal(labelled.normals, LABELLED[part]["normal"])
    assert (made.artifact, made.seed, made.beyond) == (1, 3, 21)
    assert len(made.identity["artifact_classifier_sha256"]) == 64
    assert made.names == ("mine", "3")


def test_without_samples_it_is_refused(folders, about):
    with pytest.raises(InputError, match=r"^the artifact classifier was not made by train\.artif"):
        case(folders, {name: each for name, each in about.items() if name != "samples"})


def test_candidates_end_with_the_samples(folders, models, pictures, about, tmp_path):
    """One is labelled that only two follow."""
    stored = zoo.read_classifier(str(folders / "artifacts"))
    _, params = zoo.load_classifier(str(folders / "artifacts"))
    samples = {**LABELLED, "held_out": {"artifact": [2**31 - 3], "normal": []}}
    about = {**about, "samples": samples}
    artifact_case.check_candidates(case(folders, about), 2)
    store.save(tmp_path / "last", "classifier", stored.config, params, about)
    args = [*models, "--artifact_classifier=last", "--stop=b8.conv0", f"--images={pictures}"]
    args += ["--features=classifier", "--candidates=3", "--out=new"]
    done = run("table", "--table=correction_fid", *args, cwd=tmp_path)
    message = "error: --candidates=3, but 2 follow the labelled samples"
    assert (done.returncode, done.stderr.strip()) == (1, message)
    assert not (tmp_path / "new").exists()
