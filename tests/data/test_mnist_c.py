import numpy as np
import pytest

from ganfail_jax.data.corruptions import GAUSSIAN_NOISE_SIGMA, SEVERITIES, gaussian_blur
from ganfail_jax.data.mnist import DataError, load
from ganfail_jax.data.mnist_c import CorruptedDigits, corrupt


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (60, 28, 28), np.uint8)


@pytest.fixture(scope="module")
def grey() -> CorruptedDigits:
    """18,000 corrupted images of one grey square."""
    return corrupt(np.full((18_000, 28, 28), 128, np.uint8), corruption=1.0, seed=0, split="train")


def _assert_equal(a: CorruptedDigits, b: CorruptedDigits):
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("count", [60, 59, 1])
def test_the_first_half_is_the_padded_digit_and_the_second_is_not(digits, count):
    digits = digits[:count]
    images, blur, noise = corrupt(digits, seed=0, split="train")
    assert images.shape == (count, 32, 32, 1)
    assert images.dtype == blur.dtype == noise.dtype == np.uint8
    half = count // 2
    padded = np.pad(digits, ((0, 0), (2, 2), (2, 2)))[..., None]
    np.testing.assert_array_equal(images[:half], padded[:half])
    assert not blur[:half].any()
    assert not noise[:half].any()
    assert (images[half:] != padded[half:]).any((1, 2, 3)).all()
    assert np.isin(blur[half:], SEVERITIES).all()
    assert np.isin(noise[half:], SEVERITIES).all()


def test_severities_are_uniform_and_independent(grey):
    pairs = np.histogram2d(grey.blur_severity, grey.noise_severity, bins=[[1, 2, 3, 4]] * 2)[0]
    assert pairs.sum() == 18_000
    # 2000 expected in each of nine cells, standard deviation 42.
    assert np.abs(pairs - 2000).max() < 5 * 42


@pytest.mark.parametrize("noise", SEVERITIES)
@pytest.mark.parametrize("blur", SEVERITIES)
def test_images_are_blurred_first_and_noised_after(grey, blur, noise):
    chosen = (grey.blur_severity == blur) & (grey.noise_severity == noise)
    centre = grey.images[chosen, 13:19, 13:19, 0] / 255.0
    square = np.pad(np.full((1, 28, 28), 128 / 255.0), ((0, 0), (2, 2), (2, 2)))
    expected = gaussian_blur(square, np.array([blur]))[0, 13:19, 13:19]
    # Noise that came before the blur would lose most of its standard deviation.
    assert centre.std(0).mean() == pytest.approx(GAUSSIAN_NOISE_SIGMA[noise], rel=0.02)
    np.testing.assert_allclose(centre.mean(0), expected, atol=0.025)
    # Tight enough for rounding to nearest: cutting off would lose 0.002 on average.
    standard_error = GAUSSIAN_NOISE_SIGMA[noise] / np.sqrt(centre.size)
    assert abs(centre.mean() - expected.mean()) < 4.5 * standard_error
    neighbours = np.corrcoef(centre[:, :, :-1].ravel(), centre[:, :, 1:].ravel())[0, 1]
    assert abs(neighbours) < 0.03


def test_noise_differs_from_image_to_image(grey):
    assert len({image.tobytes() for image in grey.images}) == len(grey.images)


def test_the_padding_is_noisy_too(grey):
    assert grey.images[:, 0].any()
    assert grey.images[:, :, -1].any()


def test_it_is_deterministic_and_seeds_and_splits_differ(digits):
    first = corrupt(digits, seed=0, split="train")
    _assert_equal(first, corrupt(digits, seed=0, split="train"))
    for seed, split in [(1, "train"), (0, "test")]:
        other = corrupt(digits, seed=seed, split=split)
        assert (other.images[30:] != first.images[30:]).any((1, 2, 3)).all()
        assert (other.blur_severity != first.blur_severity).any()
        assert (other.noise_severity != first.noise_severity).any()


@pytest.mark.parametrize("corruption", ["half", 0.5])
@pytest.mark.parametrize("chunk", [1, 7, 60])
def test_chunks_equal_the_whole(digits, monkeypatch, corruption, chunk):
    settings = {"corruption": corruption, "seed": 3, "split": "test"}
    whole = corrupt(digits, **settings)
    chunks = [
        corrupt(digits[start : start + chunk], start=start, total=60, **settings)
        for start in range(0, 60, chunk)
    ]
    _assert_equal(whole, CorruptedDigits(*map(np.concatenate, zip(*chunks, strict=True))))
    monkeypatch.setattr("ganfail_jax.data.mnist_c.CHUNK", chunk)
    _assert_equal(whole, corrupt(digits, **settings))


def test_the_first_severities_stay_what_version_1_0_0_says():
    blank = np.zeros((12, 28, 28), np.uint8)
    _, blur, noise = corrupt(blank, corruption=1.0, seed=0, split="train")
    # Only severities: a pixel may differ by one where another machine rounds the other way.
    assert list(blur) == [3, 3, 1, 2, 2, 1, 3, 2, 3, 3, 1, 1]
    assert list(noise) == [1, 1, 1, 1, 2, 1, 3, 1, 3, 2, 2, 2]


def test_probability(digits):
    many = np.tile(digits, (50, 1, 1))
    low, high = (corrupt(many, corruption=p, seed=0, split="train") for p in (0.25, 0.5))
    for share, result in [(0.25, low), (0.5, high)]:
        corrupted = result.blur_severity > 0
        np.testing.assert_array_equal(corrupted, result.noise_severity > 0)
        # Standard deviation of a share of 3000: below 0.0092.
        assert abs(corrupted.mean() - share) < 5 * 0.0092
    among = low.blur_severity > 0
    np.testing.assert_array_equal(low.images[among], high.images[among])


def test_probability_zero_and_one(digits):
    none = corrupt(digits, corruption=0.0, seed=0, split="train")
    np.testing.assert_array_equal(none.images[:, 2:-2, 2:-2, 0], digits)
    assert (corrupt(digits, corruption=1.0, seed=0, split="train").blur_severity > 0).all()


def test_half_is_probability_one_on_the_second_half(digits):
    half = corrupt(digits, seed=0, split="train")
    every = corrupt(digits, corruption=1.0, seed=0, split="train")
    np.testing.assert_array_equal(half.images[30:], every.images[30:])


def test_the_digits_given_are_not_changed(digits):
    before = digits.copy()
    corrupt(digits, corruption=1.0, seed=0, split="train")
    np.testing.assert_array_equal(digits, before)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"corruption": "most"}, "corruption 'most' is unknown; give \"half\" or a probability"),
        ({"corruption": 1.5}, r"corruption probability 1.5 is outside \[0, 1\]"),
        ({"split": "all"}, "mnist_c has no split 'all'; splits are train, test"),
    ],
)
def test_errors(digits, settings, message):
    with pytest.raises(DataError, match=f"^{message}$"):
        corrupt(digits, **{"seed": 0, "split": "train", **settings})


@pytest.mark.mnist
def test_the_full_set(full_mnist_dir):
    digits = load("train", full_mnist_dir)
    result = corrupt(digits.images, seed=0, split="train")
    assert result.images.shape == (60_000, 32, 32, 1)
    assert (result.blur_severity > 0).sum() == 30_000
    np.testing.assert_array_equal(result.images[:30_000, 2:-2, 2:-2, 0], digits.images[:30_000])
    assert not result.images[:30_000, :2].any()
