"""`python -m analyze.inspect` and `analyze.convert` on published and on our own weights."""

import subprocess

import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib import image

from analyze.inspect import define
from ganfail_jax import zoo
from ganfail_jax.cli import models
from ganfail_jax.latents import latents
from tests.analyze.commands import ENVIRONMENT, command, flags_of, run
from tests.goldens import FOLDER, load
from tests.weights.torch_saved import save

ADA = FOLDER / "stylegan2_ada_cond_gray32.pkl"
RAW = "genforce_pggan_rgb64"


def test_it_tells_what_a_file_holds(tmp_path):
    done = run("inspect", f"--generator={ADA}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for part in (
        "stylegan2: resolution 32, img_channels 1, num_classes 10, z_dim 24, w_dim 20",
        "format stylegan2-ada-pytorch",
        f"sha256 {zoo.read_generator(str(ADA)).sha256}",
        "S has 160 dimensions: 104 of convolutions, 56 of tRGB",
        "b0016/conv0    16x16x16       b16.conv0, genforce:layer3, choi:3, tousi:4",
    ):
        assert part in done.stdout


def test_reader_that_leaves_early_gets_no_traceback(tmp_path):
    """As `| head` does."""
    called = command("inspect", f"--generator={ADA}")
    piped = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(called, cwd=tmp_path, env=ENVIRONMENT, **piped) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == ""


def test_sheet_shows_the_samples_of_the_analyses(tmp_path):
    done = run("inspect", f"--generator={ADA}", "--sheet=samples.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "  samples.png"
    sheet = image.imread(tmp_path / "samples.png")
    assert sheet.shape[:2] == (4 * 64, 10 * 64)
    generator, params = zoo.load_generator(str(ADA))
    drawn = latents(generator, 0, jnp.array([21]))
    expected, _ = generator.synthesize(params, generator.styles(params, drawn.z, drawn.one_hot))
    np.testing.assert_allclose(
        sheet[128:192:2, 64:128:2, 0], np.clip(expected[0, ..., 0] / 2 + 0.5, 0, 1), atol=0.01
    )


def test_a_converted_file_is_the_same_generator(tmp_path):
    done = run("convert", f"--generator={ADA}", "--out=ours", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found, wanted = zoo.read_generator(str(tmp_path / "ours")), zoo.read_generator(str(ADA))
    assert found.config == wanted.config
    assert found.about["converted_from_sha256"] == wanted.sha256
    for name, array in wanted.arrays.items():
        np.testing.assert_array_equal(found.arrays[name], array)
    again = run("convert", f"--generator={ADA}", "--out=ours", cwd=tmp_path)
    assert again.returncode == 1
    assert again.stderr == "error: ours exists already; choose another --out\n"


def test_a_network_that_may_not_be_the_average_is_said_and_kept(tmp_path, capsys):
    state, _ = load(RAW)
    (tmp_path / "raw.pth").write_bytes(save({"g": state, "g_ema": None}))
    remark = "network g, which is not called an average; in the file: g"
    done = run("inspect", "--generator=raw.pth", cwd=tmp_path)
    assert f", remarks {remark}\n" in done.stdout, done.stderr
    done = run("convert", "--generator=raw.pth", "--out=ours", cwd=tmp_path)
    assert f"raw.pth: {remark}\n" in done.stdout, done.stderr
    flags = flags_of(define, generator=tmp_path / "ours")
    assert models.generator_from(flags).identity["generator_remarks"] == remark
    assert capsys.readouterr().out == f"ours: {remark}\n"


BAD = [
    ("inspect", [], "which generator? Give --generator=FILE, a folder or a bundled name"),
    ("inspect", ["--generator=file"], "file: no known format; known are NVIDIA's .pkl"),
    (
        "inspect",
        ["--generator=nothing"],
        "no generator 'nothing': neither bundled (mnist_c, mnist_c_pggan, mnist_c_v1)",
    ),
    ("inspect", ["--generator=mnist_c", "--sheet=file/x.png"], "cannot write to file/x.png"),
    ("convert", ["--generator=mnist_c"], "give --generator=FILE and --out=FOLDER"),
    ("convert", ["--generator=mnist_c", "--out=file/x"], "cannot write file/x"),
]


@pytest.mark.parametrize(("analysis", "args", "message"), BAD)
def test_bad_input_is_one_line_and_writes_nothing(analysis, args, message, tmp_path):
    (tmp_path / "file").write_text("GIF89a")
    done = run(analysis, *args, cwd=tmp_path)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
