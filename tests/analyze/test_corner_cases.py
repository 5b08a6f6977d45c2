"""`python -m analyze.corner_cases` end to end on tiny generators, and what can go wrong."""

import numpy as np
import pytest

from ganfail_jax import results
from tests import tiny
from tests.analyze.commands import run
from tests.analyze.sure import save_sure
from tests.tiny import CLASS_NAMES

FAST = ["--ranking_samples=60", "--batch_size=30", "--search=8", "--top=3", "--joint_dims=4"]
FEWER = ["--draws=4", "--grid=12", "--limit=40"]


@pytest.fixture(scope="module")
def sure(tmp_path_factory):
    return save_sure(tmp_path_factory.mktemp("sure") / "classifier")


def check(done, folder):
    assert done.returncode == 0, done.stderr
    files = sorted(path.name for path in folder.iterdir())
    assert files == ["corner_cases.png", "joint.png", "result.json", "result.npz"]
    result = results.load(folder)
    arrays = result.arrays
    there = arrays["shift"] > 0
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


def test_the_means_of_an_unconditional_generator(folders, sure, tmp_path):
    models = [f"--generator={folders / 'unconditional'}", sure]
    done = run("corner_cases", *models, *FAST, *FEWER, cwd=tmp_path)
    result = check(done, tmp_path / "runs" / "corner_cases" / "unconditional-classifier-0")
    assert not result.arrays["conditional"]
    for text in ("corner cases within 40 standard deviations", "jointly over 4"):
        assert text in done.stdout


def test_a_style_from_a_file(models, sure, tmp_path):
    np.save(tmp_path / "wrong.npy", np.zeros(3))
    wrong = run("corner_cases", *models, "--start=wrong.npy", cwd=tmp_path)
    assert wrong.returncode == 1
    (line,) = wrong.stderr.strip().splitlines()
    assert "wrong.npy holds (3,)" in line
    s = sum(tiny.models().generator.style_dims.values())
    assert f"a style is ({s},), one for each class (3, {s})" in line
    np.savez(tmp_path / "style.npz", style=np.random.default_rng(0).normal(size=s))
    done = run(
        "corner_cases", models[0], sure, *FAST, *FEWER, "--start=style.npz", "--noper_class",
        f"--out={tmp_path / 'out'}", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    arrays = results.load(tmp_path / "out").arrays
    assert arrays["start_styles"].shape == (1, s)


BAD = [
    (["--start=median"], "--start=median is neither mean, nor a number, nor a .npy or .npz file"),
    (["--start=none.npy"], "cannot read styles from none.npy"),
    (["--start={tmp}/pickled.npy"], "cannot read styles from"),
    (["--start={tmp}/two.npz"], "two.npz holds (3,) and (4,); a style is ("),
    (["--classes=a,z"], "no class 'z'; the classes are a, b, c"),
    (["--search=0"], "flag --search=0: 0 is not a positive integer"),
]


@pytest.mark.parametrize(
    ("args", "message"), BAD, ids=lambda x: x[0] if isinstance(x, list) else ""
)
def test_bad_input_is_one_line_and_writes_nothing(args, message, models, tmp_path):
    np.save(tmp_path / "pickled.npy", np.array([{"a": 1}]), allow_pickle=True)
    np.savez(tmp_path / "two.npz", a=np.zeros(3), b=np.zeros(4))
    before = sorted(tmp_path.rglob("*"))
    done = run("corner_cases", *models, *(arg.format(tmp=tmp_path) for arg in args), cwd=tmp_path)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert message in line
    assert sorted(tmp_path.rglob("*")) == before
