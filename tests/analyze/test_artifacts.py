"""Which samples there are beside the labelled ones."""

from ganfail_jax import zoo
from ganfail_jax.weights import store
from tests.analyze.commands import run
from tests.analyze.conftest import LABELLED


def test_candidates_end_with_the_samples(folders, tmp_path):
    """One is labelled that only two follow."""
    stored = zoo.read_classifier(str(folders / "artifacts"))
    _, params = zoo.load_classifier(str(folders / "artifacts"))
    samples = {**LABELLED, "held_out": {"artifact": [2**31 - 3], "normal": []}}
    about = {**stored.about, "samples": samples}
    store.save(tmp_path / "last", "classifier", stored.config, params, about)
    args = [f"--generator={folders / 'generator'}", "--artifact_classifier=last", "--out=new"]
    done = run("table", "--table=correction_fid", "--candidates=3", *args, cwd=tmp_path)
    message = "error: --candidates=3, but 2 follow the labelled samples"
    assert (done.returncode, done.stderr.strip()) == (1, message)
    assert not (tmp_path / "new").exists()
