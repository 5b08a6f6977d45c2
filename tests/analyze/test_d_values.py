"""`python -m analyze.d_values` on tiny models: its numbers by their definitions, bad input."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from ganfail_jax import results, zoo
from ganfail_jax.latents import generate
from ganfail_jax.nn import stylegan2_discriminator
from ganfail_jax.weights import store
from tests.analyze.commands import run
from tests.training.tiny_gan import CONDITIONAL

LABELLED = {3: "artifact", 70: "normal", 12: "artifact", 40: "normal", 5: "normal", 9: "skip"}
SMALL = ["--labels=labels.csv", "--batch_size=4"]


def save_discriminator(folder, about, **changes):
    config = replace(CONDITIONAL.discriminator, **changes)
    template = jax.eval_shape(lambda: stylegan2_discriminator.init(config, jax.random.key(0)))
    rng = np.random.default_rng(1)
    params = jax.tree.map(lambda x: rng.normal(size=x.shape).astype(np.float32), template)
    store.save(folder, "stylegan2_discriminator", config.to_dict(), params, about)


@pytest.fixture(scope="module")
def work(folders, tmp_path_factory):
    """Labels, pictures, a run without classes, and discriminators of the generator with classes."""
    folder = tmp_path_factory.mktemp("d_values")
    rows = [f"{index},0,{label}" for index, label in LABELLED.items()]
    (folder / "labels.csv").write_text("\n".join(["index,seed,label", *rows]))
    (folder / "pictures").mkdir()
    rng = np.random.default_rng(3)
    for i in range(7):
        pixels = rng.integers(0, 256, (8, 8), np.uint8)
        Image.fromarray(pixels).save(folder / "pictures" / f"{i}.png")
    plain = store.load(folders / "unconditional")
    store.save(folder / "run" / "latest", plain.kind, plain.config, plain.arrays, {})
    sha256 = zoo.read_generator(str(folder / "run")).sha256
    about = {"images_seen": 2_000, "generator_sha256": sha256}
    save_discriminator(folder / "run" / "discriminator", about, num_classes=0)
    start = {"start_from": {"sha256": zoo.read_generator(str(folders / "generator")).sha256}}
    save_discriminator(folder / "further" / "discriminator", {"images_seen": 30} | start)
    save_discriminator(folder / "four", {}, resolution=4)
    return folder


def own_values(generator, discriminator, indices):
    """Every image on its own."""
    maker, params = zoo.load_generator(str(generator))
    judge, weights = zoo.load_discriminator(str(discriminator))
    images = jax.jit(lambda i: generate(maker, params, 0, i)[0])(jnp.asarray(indices))
    score = jax.jit(judge.score)
    classes = maker.num_classes
    labels = [jnp.eye(classes)[i % classes][None] if classes else None for i in indices]
    return [score(weights, x[None], y)[0] for x, y in zip(images, labels, strict=True)]


def test_a_run_with_its_own_discriminator(work):
    args = ["--generator=run", "--images=pictures", "--num_real=5", *SMALL, "--out=own"]
    done = run("d_values", *args, cwd=work)
    assert done.returncode == 0, done.stderr
    result = results.load(work / "own")
    arrays, indices = result.arrays, [i for i, label in LABELLED.items() if label != "skip"]
    assert arrays["indices"].tolist() == indices
    values = own_values(work / "run", work / "run", indices)
    np.testing.assert_allclose(arrays["d_values"], values, rtol=1e-3)
    assert len(arrays["real_d_values"]) == 5
    assert result.summary["relation"] == "its own"
    told = result.summary["told"]["artifact from normal"]
    assert (told["positive"], told["negative"]) == (2, 3)
    assert list(result.summary["told"])[1:] == ["normal from real", "artifact from real"]
    assert (np.diff(arrays["d_values"][arrays["shown"]]) >= 0).all()
    assert "the discriminator is its own; 2,000 images seen" in done.stdout
    assert "  artifact from normal: " in done.stdout
    assert (work / "own" / "d_values.png").stat().st_size > 10_000
    assert "already holds this result" in run("d_values", *args, cwd=work).stdout


def test_a_discriminator_that_was_trained_further(work, folders):
    args = [f"--generator={folders / 'generator'}", "--discriminator=further", "--num_real=0"]
    done = run("d_values", *args, *SMALL, "--out=further_values", cwd=work)
    assert done.returncode == 0, done.stderr
    result = results.load(work / "further_values")
    values = own_values(folders / "generator", work / "further", result.arrays["indices"])
    np.testing.assert_allclose(result.arrays["d_values"], values, rtol=1e-3)
    assert result.summary["discriminator"] == "further"
    assert "is trained against a continuation of it; 30 images seen" in done.stdout
    assert list(result.summary["told"]) == ["artifact from normal"]


def test_bad_input_ends_in_one_line(work, folders):
    name = folders / "generator"
    generator = [f"--generator={name}"]
    bad = [
        (generator, "give --labels=FILE.csv of index, seed and label; analyze.label makes one"),
        (
            [*generator, *SMALL],
            f"{name} has no discriminator at hand; give --discriminator=RUN of train.stylegan2 or "
            f"train.pggan, which with --start_from={name} trains one against a continuation of it",
        ),
        (
            [*generator, *SMALL, "--discriminator=four"],
            "discriminator four judges images of 4x4x1, but the generator makes 8x8x1; "
            "give two that fit",
        ),
        (
            [*generator, *SMALL, "--discriminator=run"],
            "discriminator run knows 0 classes, but the generator 3; give two that fit",
        ),
        (
            [*generator, *SMALL, "--discriminator=further", "--images=pictures"],
            "the discriminator judges images of 3 classes, which --images does not say; "
            "leave it out",
        ),
    ]
    for args, message in bad:
        done = run("d_values", *args, "--out=new", cwd=work)
        assert (done.returncode, done.stderr.strip()) == (1, f"error: {message}"), args
        assert not (work / "new").exists()
