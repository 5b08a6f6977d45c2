"""`python -m analyze.label`: the page's command, merging, exporting, and what it refuses."""

import re
import shutil
import signal
import subprocess

import pytest

from ganfail_jax import zoo
from ganfail_jax.data.image_folder import read_folder
from ganfail_jax.data.label_table import read_csv, read_folders
from ganfail_jax.errors import InputError
from ganfail_jax.studies import label
from ganfail_jax.studies.subject import of_generator
from tests.analyze.commands import ENVIRONMENT, command, run
from tests.labelling.serving import Address, Client


@pytest.fixture(scope="module")
def own(folders):
    return [f"--generator={folders / 'generator'}", "--labels=labels.csv"]


def test_label_a_few_and_end_with_control_c(own, folders, tmp_path):
    called = command("label", *own, "--num_samples=5", "--first_index=2", "--seed=3")
    piped = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(called, cwd=tmp_path, env=ENVIRONMENT, **piped) as process:
        assert process.stdout
        try:
            printed = [process.stdout.readline() for _ in range(5)]
            assert printed[1] == "samples 2 to 6 of generator, seed 3\n"
            address = re.fullmatch(r"open http://127\.0\.0\.1:(\d+)/#(\S+)\n", printed[3])
            assert address
            port, token = address.groups()
            refused = run("label", *own, cwd=tmp_path)
            place = f"{(tmp_path / 'labels.csv').resolve()}; wait for it or choose another --labels"
            assert refused.stderr == f"error: PID {process.pid} is writing to {place}\n"
            assert refused.returncode == 1
            with Client(Address(int(port), token)) as client:
                assert client.label([2, "normal"], [3, "artifact"]).status == 200
                assert client.label([6, "artifact"]).status == 200
                process.send_signal(signal.SIGINT)
                out, err = process.communicate(timeout=60)  # although we are still connected
                with pytest.raises(EOFError):
                    client.answer()
        finally:
            process.kill()
    assert (process.returncode, err) == (0, "")
    assert out.split("\n")[1:] == [
        "1 normal, 2 artifact, 0 skip, 2 without a label",
        "labels in labels.csv",
        "",
    ]
    generator = zoo.read_generator(str(folders / "generator")).sha256[:12]
    labels = {(2, 3): "normal", (3, 3): "artifact", (6, 3): "artifact"}
    assert read_csv(tmp_path / "labels.csv") == (labels, generator)


def test_exported_pictures_that_are_sorted_again_are_merged(own, tmp_path):
    (tmp_path / "given.csv").write_text("index,seed,label\n0,0,normal\n1,0,artifact\n9,5,skip\n")
    made = run(
        "label", *own, "--merge=given.csv", "--export=sorted", "--num_samples=4", cwd=tmp_path
    )
    assert (made.returncode, made.stderr) == (0, "")
    assert made.stdout.splitlines()[2:] == [
        "3 new labels of the 3 in given.csv",
        "pictures in sorted",
        "1 normal, 1 artifact, 0 skip, 2 without a label",
        "labels in labels.csv",
    ]
    folder = tmp_path / "sorted"
    assert read_folders(folder).labels == {(0, 0): "normal", (1, 0): "artifact"}
    assert read_folder(folder, (8, 8, 1)).shape == (4, 8, 8, 1)
    shutil.move(folder / "unlabelled" / "seed0-index000003.png", folder / "skip")
    shutil.move(folder / "normal" / "seed0-index000000.png", folder / "artifact")
    merged = run("label", *own, "--merge=sorted", "--num_samples=4", cwd=tmp_path)
    assert (merged.returncode, merged.stderr) == (0, "")
    assert merged.stdout.splitlines()[2:4] == [
        "1 new labels of the 3 in sorted; 1 have another label here, which is kept",
        "1 normal, 1 artifact, 1 skip, 1 without a label",
    ]
    kept = {(0, 0): "normal", (1, 0): "artifact", (9, 5): "skip", (3, 0): "skip"}
    assert read_csv(tmp_path / "labels.csv").labels == kept


def test_the_same_without_flags(folders, tmp_path):
    network, params = zoo.load_generator(str(folders / "generator"))
    subject = of_generator(network.with_noise("const"), params, "mine")
    (tmp_path / "given.csv").write_text("index,seed,label\n2,3,normal\n9,3,artifact\n")
    samples = label.Samples(seed=3, first_index=1, num_samples=3)
    instead = label.Exchange(merge=str(tmp_path / "given.csv"), export=str(tmp_path / "sorted"))
    task = label.plan(subject, str(tmp_path / "labels.csv"), samples, instead)
    assert [path.name for path in tmp_path.iterdir()] == ["given.csv"]
    assert task() == {2: "normal"}
    assert read_folders(tmp_path / "sorted").labels == {(2, 3): "normal"}
    with pytest.raises(InputError, match="sorted exists already; choose another --export"):
        label.plan(subject, str(tmp_path / "labels.csv"), samples, instead)


BAD = [
    (
        ["--noise=random"],
        "labels are of images with constant noise, not --noise=random: leave it out",
    ),
    (["--labels="], "where do the labels go? Give --labels=FILE.csv"),
    (["--merge=other.csv"], "other.csv has labels of another generator, 0123456789ab; this one"),
    (["--export=file"], "file exists already; choose another --export"),
    (["--first_index=2147483647"], "--first_index and --num_samples go beyond sample 2147483647"),
]


@pytest.mark.parametrize(("args", "message"), BAD)
def test_bad_input_is_one_line_and_writes_nothing(args, message, own, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "other.csv").write_text("index,seed,label,generator\n1,0,skip,0123456789ab\n")
    done = run("label", *own, *args, cwd=tmp_path)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert message in line
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"file", "other.csv"}
