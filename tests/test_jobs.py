"""The course of every study: numbers before figures, where results go, what is made again."""

import json

import numpy as np
import pytest

from ganfail_jax import results, runtime
from ganfail_jax.errors import InputError
from ganfail_jax.jobs import Job, Run, show_duration
from ganfail_jax.results import ResultError


def job(folder, **parts):
    told = {
        "compute": lambda sweep: ({"accuracy": 0.5}, {"scores": np.arange(3)}),
        "draw": lambda folder, result: (),
        "describe": lambda summary: [f"accuracy {summary['accuracy']}"],
    }
    told |= {"identity": {"seed": 1}, "subject": "it", "settings": Run()}
    return Job(folder=folder, **told | parts)


def test_a_fault_of_a_figure_hides_no_number(tmp_path, capsys):
    def fail(folder, result):
        raise ValueError("a bug of drawing")

    with pytest.raises(ValueError, match="a bug of drawing") as failed:
        job(tmp_path / "new", draw=fail).run()
    assert failed.value.__notes__ == [f"the numbers are in {tmp_path / 'new'}, the figures are not"]
    assert "accuracy 0.5\n" in capsys.readouterr().out
    assert job(tmp_path / "new").run().summary["accuracy"] == 0.5
    assert "already holds this result" in capsys.readouterr().out


OLD = [
    ("describe", lambda summary: [summary["share"]], "no 'share'"),
    ("describe", lambda summary: summary["accuracy"][0], "'float' object"),
    ("draw", lambda folder, result: result.arrays["images"], "no 'images'"),
]


@pytest.mark.parametrize(("part", "function", "reason"), OLD)
def test_a_result_of_another_version_is_one_line(part, function, reason, tmp_path):
    job(tmp_path).run()
    with pytest.raises(ResultError) as refused:
        job(tmp_path, **{part: function}).run()
    line = str(refused.value)
    assert line.startswith(f"{tmp_path} does not hold what is expected: {reason}")
    assert line.endswith("choose another folder, or delete it to make the result anew")
    assert "\n" not in line


def test_a_fault_of_a_new_result_is_not_blamed_on_a_version(tmp_path):
    with pytest.raises(KeyError, match="share"):
        job(tmp_path, describe=lambda summary: [summary["share"]]).run()


@pytest.mark.parametrize("content", ["[]", "3", '"x"', "{}", '{"provenance": 3}', "{"])
def test_a_summary_of_another_shape_is_one_line(content, tmp_path):
    job(tmp_path).run()
    (tmp_path / results.SUMMARY).write_text(content)
    with pytest.raises(ResultError, match="no readable result in"):
        job(tmp_path).run()


def test_names_that_are_not_utf8_can_be_saved(tmp_path):
    summary = {"name": "a\udcff"}
    results.save(tmp_path, summary, {"identity": {}}, {"names": np.asarray(["a\udcff"])})
    assert json.loads((tmp_path / results.SUMMARY).read_text())["name"] == "a\udcff"


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({}, "net-0"),
        ({"top": 20}, "net-0-top=20"),
        ({"generator": "some/net", "seed": 0, "top": 0}, "net-0-top=0"),  # named already
        ({"seed": 7}, "net-0-seed=7"),
        ({"layers": ["b0004/conv1"]}, "net-0-layers=b0004.conv1"),
        ({"ranking": "/tmp/a/very/long/way/to/a/ranking"}, "net-0-ranking=fd83b6ae"),
        ({"sets": ["LR:0.3", "HR:0.7"]}, "net-0-sets=LR.0.3,HR.0.7"),
        ({"noise": "const", "exclude_dead": True}, "net-0-noise=const-exclude_dead=True"),
        ({"layer_sets": "a b;c"}, "net-0-layer_sets=f0bd287b"),
        ({"show_class": "b", "top": 3}, "net-0-top=3"),
    ],
)
def test_the_default_folder_is_named_for_what_changes_the_result(given, name):
    assert Run(given=given).folder("rank", "net", 0, shown=["show_class"]).name == name
    assert str(Run(given=given, out="x").folder("rank", "net", 0)) == "x"


def test_many_settings_make_a_name_of_bounded_length():
    names = [
        Run(given={f"setting_{i}": i for i in range(n)}).folder("rank", "net", 0).name
        for n in (20, 21)
    ]
    assert [len(name) for name in names] == [len("net-0-12345678")] * 2
    assert names[0] != names[1]


@pytest.fixture
def work(tmp_path):
    """A study that draws one of its numbers -> what it did."""
    done = []

    def run(shown, seed=0, before=None):
        def compute(sweep):
            done.append("compute")
            return {"largest": 9}, {"values": np.arange(10)}

        def show(sweep, result):
            done.append(f"show {shown}")
            return {"one": result.arrays["values"][shown]}

        def draw(folder, result):
            done.append(f"draw {result.arrays['one']}")
            return []

        identity = {"seed": seed, **(before or {})}
        more = {} if before else {"shown": {"unit": shown}, "show": show}
        drawn = (lambda *_: []) if before else draw
        job = Job(tmp_path, identity, "x", compute, drawn, lambda _: [], Run(), **more)
        done.clear()
        job.run()
        return list(done)

    return run


def test_what_is_shown_is_made_again_without_the_rest(work, tmp_path):
    assert work(3) == ["compute", "show 3", "draw 3"]
    before = [(tmp_path / name).read_bytes() for name in ("result.json", "result.npz")]
    assert work(3) == ["draw 3"]
    assert work(5) == ["show 5", "draw 5"]
    (tmp_path / "shown.npz").write_bytes(b"PK")
    assert work(5) == ["show 5", "draw 5"]
    assert [(tmp_path / name).read_bytes() for name in ("result.json", "result.npz")] == before
    with pytest.raises(InputError, match="holds a result made with other seed"):
        work(5, seed=1)


def test_an_old_result_that_has_it_in_its_identity_is_reused(work, tmp_path):
    assert work(0, before={"unit": 3}) == ["compute"]
    assert "unit" in json.loads((tmp_path / "result.json").read_text())["provenance"]["identity"]
    assert work(4) == ["show 4", "draw 4"]


def counting(batches, samples=40):
    """A study of a single pass, which notes its batches."""

    def step(indices, mask):
        batches.append(len(indices))
        return mask.sum()

    def compute(sweep):
        named = sweep._replace(batch_size=8).named("counting")
        total = runtime.sweep(step, np.add, samples, named)
        return {"accuracy": int(total)}, {}

    return compute


def test_a_preview_measures_two_batches_and_keeps_nothing(tmp_path):
    batches, folder = [], tmp_path / "new"
    previewed = job(folder, compute=counting(batches), identity={"num_samples": 40, "seed": 1})
    subject, settings, place, rate = previewed.preview()
    assert (subject, settings) == ("it", "settings: num_samples=40, seed=1")
    assert place == f"the result would be in {folder}"
    assert rate.startswith("counting: ")
    assert "so 40 take about 1 s; compiling" in rate
    assert batches == [8, 8]
    assert not [*tmp_path.iterdir()]
    assert previewed.run().summary["accuracy"] == 40  # bars are again what they were
    assert [*previewed.preview()][2] == (
        f"{folder} already holds this result: only its figures would be drawn"
    )
    with pytest.raises(ResultError, match="made with other seed"):
        list(previewed._replace(identity={"num_samples": 40, "seed": 2}).preview())


def test_a_rate_is_that_of_the_batches_after_the_first(monkeypatch):
    times = iter([0.0, 100.0, 102.0])  # begins; compiles; 8 samples in two seconds
    monkeypatch.setattr(runtime.time, "monotonic", lambda: next(times))
    with runtime.rehearsal():
        bar = runtime.progress_bar("gradients", 50, 10)
        bar.update(8)
        assert bar.n == 18
        with pytest.raises(runtime.Measured) as measured:
            bar.update(8)
    assert measured.value.args == ("gradients", 40, "img", 4.0)


def test_a_preview_does_not_wait_for_what_has_no_pass(tmp_path, monkeypatch):
    monkeypatch.setattr(runtime, "PATIENCE", -1.0)

    def compute(sweep):
        return {}, {"x": runtime.in_batches(np.negative, 2, np.ones(4))}

    *_, last = job(tmp_path / "new", compute=compute).preview()
    assert last.endswith("how long is not known")


def test_a_part_of_the_samples_is_not_taken_for_all(tmp_path):
    """The first pass of the rates goes to the first of several numbers of samples."""
    large = job(tmp_path, compute=counting([], 24), identity={"num_samples": 30_000})
    assert "so 30,000 take" in [*large.preview()][-1]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.1, "1 s"), (99.0, "99 s"), (150.0, "2 min"), (9e3, "2.5 h")]
)
def test_durations(seconds, text):
    assert show_duration(seconds) == text


def test_warnings_are_the_first_and_the_last_lines(tmp_path, capsys):
    compute = lambda sweep: ({"accuracy": 0.5, "warnings": ["by chance"]}, {})  # noqa: E731
    job(tmp_path / "new", compute=compute).run()
    lines = capsys.readouterr().out.splitlines()
    assert [i for i, line in enumerate(lines) if line == "warning: by chance"] == [
        lines.index("accuracy 0.5") - 1,
        len(lines) - 1,
    ]
