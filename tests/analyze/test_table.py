"""`python -m analyze.table` on tiny models: the numbers are those of the images, and bad input."""

import json

import numpy as np
import pytest

from ganfail_jax import zoo
from ganfail_jax.data.image_sets import in_memory
from ganfail_jax.errors import InputError
from ganfail_jax.metrics.features import Features
from ganfail_jax.metrics.table import restore
from ganfail_jax.studies import activation_rates, rate_tables
from ganfail_jax.studies.images import of_images
from ganfail_jax.studies.subject import of_generator
from tests.analyze.commands import only_folder, run

SMALL = ["--rates_samples=64", "--num_samples=80", "--ends=20", "--num_real=30", "--seed=1"]


def table(name, models, pictures, cwd, *args):
    args = [f"--table={name}", f"--images={pictures}", "--features=classifier", *SMALL, *args]
    return run("table", *models, *args, cwd=cwd)


def test_ablation_fid_has_a_cell_for_every_set_and_layers(models, pictures, tmp_path):
    done = table(
        "ablation_fid",
        models,
        pictures,
        tmp_path,
        "--sets=LR:0,LR:0.5,random:0.9",
        "--random_draws=2",
    )
    assert done.returncode == 0, done.stderr
    folder = only_folder(tmp_path, "ablation_fid")
    files = sorted(path.name for path in folder.iterdir())
    assert files == ["result.json", "result.npz", "table.csv", "table.md", "table.png"]
    cells = list(map(restore, json.loads((folder / "result.json").read_text())["cells"]))
    layers = ["b0004/conv1", "b0008/conv0", "b0004/conv1 + b0008/conv0"]
    rows = ["none", "LR, R ≤ 0", "LR, R ≤ 0.5", "random 90%, of the activated"]
    assert [(c.row, c.column) for c in cells] == [(r, c) for r in rows for c in layers]
    values = {(cell.row, cell.column): cell.measured.value for cell in cells}
    for column in layers:  # neurons that never fire are not activated: nothing to ablate
        assert values[rows[1], column] == pytest.approx(values["none", column], rel=1e-3)
        assert abs(values[rows[3], column] / values["none", column] - 1) > 0.01
        drawn = next(c.measured for c in cells if (c.row, c.column) == (rows[3], column))
        assert len({*drawn.draws}) == 2
    assert cells[0].measured.samples == {"real": 30, "generated": 20}
    assert "covariance" in done.stdout
    assert (folder / "table.md").read_text().rstrip() in done.stdout


def test_top_bottom_measures_both_ends(models, pictures, tmp_path):
    done = table("top_bottom", models, pictures, tmp_path, "--within_classes")
    assert done.returncode == 0, done.stderr
    (summary,) = tmp_path.glob("runs/top_bottom/*/result.json")
    cells = list(map(restore, json.loads(summary.read_text())["cells"]))
    assert [c.row for c in cells[::3]] == ["Bottom 20", "Top 20", "any 20"]
    assert [c.column for c in cells[:3]] == ["precision", "recall", "realism"]
    assert all(c.measured.interval is not None for c in cells)


def test_a_table_is_asked_for(models, tmp_path):
    done = run("table", *models, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: which table? Give --table as one of ablation_fid, top_bo")


def test_rates_of_all_layers_are_needed(models):
    subject = of_generator(*zoo.load_generator(models[0].split("=")[1]), "generator")
    images = of_images("pictures", in_memory(np.zeros((9, 8, 8, 1), np.uint8)))
    features = Features("none", 1, lambda images: images[:, 0, 0])
    source = activation_rates.make(subject, ["choi:0", "choi:1"])
    compared = rate_tables.Compared(subject, source, images, features)
    with pytest.raises(InputError, match=r"^there are no rates of b0008/conv1$"):
        rate_tables.ablation_fid(compared, layer_sets=[["choi:0", "choi:2"]])
    less = compared._replace(source=activation_rates.make(subject, ["choi:1"]))
    with pytest.raises(InputError, match=r"^there are no rates of b0004/conv1$"):
        rate_tables.top_bottom(less)


BAD = [
    ("nope", [], "flag --table=nope"),
    ("top_bottom", ["--ends=41"], "41 at each end of 80 samples overlap"),
    ("top_bottom", ["--ends=3"], "more than 3 images of each kind are needed"),
    ("top_bottom", ["--sets=LR:0.3"], "--sets does not change table top_bottom: leave it out"),
    ("ablation_fid", ["--sets=LR"], "'LR' is not a set of neurons; sets are LR:0.3, HR:0.7"),
    ("ablation_fid", ["--layer_sets=choi:0;choi:9"], "no layer 'choi:9'; the layers are"),
    ("ablation_fid", ["--layer_sets="], "no layer ''; the layers are"),
    ("top_bottom", ["--truncation_psi=0.5"], "--truncation_psi must be 1"),
]


def test_flags_are_checked_before_real_images_are_read(models, folders, tmp_path):
    """The folder of images is absent, which is not what is said."""
    artifacts = f"--artifact_classifier={folders / 'artifacts'}"
    for name, args, message in [
        ("ablation_fid", ["--sets=LR"], "'LR' is not a set of neurons"),
        ("top_bottom", ["--ends=41"], "41 at each end of 80 samples overlap"),
        ("top_bottom", ["--ends=3"], "more than 3 images of each kind are needed"),
        ("stopping_layer", [artifacts, "--shares=2"], "a share of the units is between 0 and 1"),
        ("stopping_layer", [artifacts, "--num_artifacts=3"], "must be more than --neighbours=3"),
        ("ablated_units", [artifacts, "--stop=b0008/conv0", "--numbers=99"], "has units 1 to"),
    ]:
        own = [*SMALL, *args] if artifacts not in args else ["--num_real=30", *args]
        given = [f"--table={name}", "--images=absent", "--features=classifier", *own]
        done = run("table", *models, *given, cwd=tmp_path)
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert message in line, (name, args)
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "args", "message"), BAD)
def test_bad_input_is_one_line_and_writes_nothing(name, args, message, models, pictures, tmp_path):
    done = table(name, models, pictures, tmp_path, *args)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert message in line
    assert not list(tmp_path.iterdir())
