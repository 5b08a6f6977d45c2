"""`python -m analyze.corner_cases` end to end on tiny generators, and what can go wrong."""

import numpy as np
import pytest

from ganfail_jax import results
from tests import tiny
from tests.analyze.commands import only_folder, run
from tests.analyze.sure import save_sure
from tests.tiny import CLASS_NAMES

FAST = ["--ranking_samples=60", "--batch_size=30", "--search=8", "--top=3", "--joint_dims=4"]
FEWER = ["--draws=4", "--grid=12", "--limit=40"]


def save(folder, folders, generator):
    return save_sure(folder / "classifier", folders / generator, folders / "classifier")


def check(done, folder):
    assert done.returncode == 0, done.stderr
    files = sorted(path.name for path in folder.iterdir())
    assert files == ["corner_cases.png", "joint.png", "result.json", "result.npz"]
    result = results.load(folder)
    arrays = result.arrays
    there = arrays["shift"] > 0
    assert there.any()
    assert np.isfinite(arrays["joint_length"]).any()
    assert there.sum() == result.summary["crossings"]
    assert (np.abs(arrays["softmax"][there] - 0.5) < 0.01).all()
    target = np.broadcast_to(arrays["start_target"][:, None], there.shape)
    assert (arrays["instead"][there] != target[there]).all()
    left_out = result.summary["starts_not_classified_as_their_class"]
    found, missing = result.summary["classes"], result.summary["classes_without_a_start"]
    assert sorted([*found, *left_out, *missing]) == list(CLASS_NAMES)
    for row, name in enumerate(found):
        cases, joint = found[name]["corner_cases"], found[name]["joint"]
        assert len(cases) == min(3, found[name]["dimensions_with_effect"])
        assert len(found[name]["without_effect"]) + found[name]["dimensions_with_effect"] == 8
        assert arrays["class_names"][arrays["start_target"][row]] == name
        if joint["best_single_std"] is not None:
            assert joint["length_std"] <= joint["best_single_std"] * 1.001
    return result


def test_the_means_of_an_unconditional_generator(folders, tmp_path):
    models = save(tmp_path, folders, "unconditional")
    done = run("corner_cases", *models, *FAST, *FEWER, cwd=tmp_path)
    result = check(done, only_folder(tmp_path, "corner_cases"))
    assert not result.arrays["conditional"]
    for text in ("corner cases within 40 standard deviations", "jointly over 4"):
        assert text in done.stdout


def test_a_style_from_a_file(folders, models, tmp_path):
    np.save(tmp_path / "wrong.npy", np.zeros(3))
    wrong = run("corner_cases", *models, "--start=wrong.npy", cwd=tmp_path)
    assert wrong.returncode == 1
    (line,) = wrong.stderr.strip().splitlines()
    assert "wrong.npy holds (3,)" in line
    s = sum(tiny.models().generator.style_dims.values())
    assert f"a style is ({s},), one for each class (3, {s})" in line
    np.savez(tmp_path / "style.npz", style=np.random.default_rng(0).normal(size=s))
    (tmp_path / "style.npz").rename(tmp_path / "style.npy")  # its content is what counts
    sure = save(tmp_path, folders, "generator")
    done = run(
        "corner_cases", *sure, *FAST, *FEWER, "--start=style.npy", "--noper_class", "--search=2",
        f"--out={tmp_path / 'out'}", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "no start for class" not in done.stdout
    result = results.load(tmp_path / "out")
    arrays = result.arrays
    assert arrays["start_styles"].shape == (1, s)
    assert result.summary["dimensions_searched"] == 4  # as many as move jointly
    single = np.fmin.reduce(arrays["shift"], axis=1)
    np.testing.assert_array_equal(arrays["joint_single"], single)


BAD = [
    (["--start=median"], "--start=median is neither mean, nor a number, nor a .npy or .npz file"),
    (["--start=none.npy"], "cannot read styles from none.npy"),
    (["--start={tmp}/pickled.npy"], "cannot read styles from"),
    (["--start={tmp}/two.npz"], "two.npz holds 2 arrays; styles are a file of one"),
    (["--start=2147483640"], "--start=2147483640 is beyond the last sample, 2147483617"),
    (["--start={tmp}/one.npy", "--classes=a"], "a single style is of the class predicted"),
    (["--classes="], "--classes is empty"),
    (["--classes=a,z"], "no class 'z'; the classes are a, b, c"),
    (["--search=0"], "flag --search=0: 0 is not an integer in the range [1, 100000]"),
]


@pytest.mark.parametrize(
    ("args", "message"), BAD, ids=lambda x: x[0] if isinstance(x, list) else ""
)
def test_bad_input_is_one_line_and_writes_nothing(args, message, models, tmp_path):
    np.save(tmp_path / "pickled.npy", np.array([{"a": 1}]), allow_pickle=True)
    np.savez(tmp_path / "two.npz", a=np.zeros(3), b=np.zeros(4))
    s = sum(tiny.models().generator.style_dims.values())
    np.save(tmp_path / "one.npy", np.zeros(s))
    before = sorted(tmp_path.rglob("*"))
    done = run("corner_cases", *models, *(arg.format(tmp=tmp_path) for arg in args), cwd=tmp_path)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert message in line
    assert sorted(tmp_path.rglob("*")) == before
