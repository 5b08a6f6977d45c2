import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds

from ganfail_jax.data import mnist, mnist_c_builder
from ganfail_jax.data.mnist_c import corrupt


def _prepare(config, folder) -> Any:
    builder = mnist_c_builder.MnistC(config=config, data_dir=folder, file_format="array_record")
    builder.download_and_prepare()
    return builder


@pytest.mark.parametrize(("config", "corruption"), [("half", "half"), ("corrupt_proba_0.5", 0.5)])
def test_it_serves_the_functions_arrays(small_mnist, monkeypatch, tmp_path, config, corruption):
    monkeypatch.setenv(mnist.DIR_VARIABLE, str(small_mnist))
    builder = _prepare(config, tmp_path / "prepared")
    for split, count in {"train": 40, "test": 20}.items():
        digits = mnist.load(split, small_mnist)
        expected = corrupt(digits.images, corruption=corruption, seed=0, split=split)
        served = list(builder.as_data_source(split))
        assert len(served) == count
        for key, values in {
            "image": expected.images,
            "label": digits.labels,
            "blur_severity": expected.blur_severity,
            "noise_severity": expected.noise_severity,
        }.items():
            np.testing.assert_array_equal(np.stack([e[key] for e in served]), values)
    assert "tensorflow" not in sys.modules


def test_users_find_it_by_name(tmp_path):
    builder: Any = tfds.builder("mnist_c", data_dir=tmp_path, file_format="array_record")
    assert builder.info.full_name == "mnist_c/half/1.0.0"
    assert set(builder.info.features) == {"image", "label", "blur_severity", "noise_severity"}


def test_a_config_of_ones_own(small_mnist, tmp_path):
    config = mnist_c_builder.MnistCConfig(
        name="corrupt_proba_0.9_seed_7", corruption=0.9, seed=7, mnist_dir=str(small_mnist)
    )
    builder = _prepare(config, tmp_path / "prepared")
    served = np.stack([e["image"] for e in builder.as_data_source("test")])
    digits = mnist.load("test", small_mnist)
    expected = corrupt(digits.images, corruption=0.9, seed=7, split="test")
    np.testing.assert_array_equal(served, expected.images)


def test_a_subset_is_prepared_only_on_request(monkeypatch, tmp_path):
    few = mnist.Digits(np.zeros((6, 28, 28), np.uint8), np.zeros(6, np.uint8), "MNIST: a few.")
    monkeypatch.setattr(mnist, "load", lambda split, mnist_dir: few)
    message = r"mnist_c/half needs 60,000 digits, or allow_subset=True in its config. MNIST: a few."
    with pytest.raises(mnist.DataError, match=message):
        _prepare("half", tmp_path / "refused")
    config = mnist_c_builder.MnistCConfig(name="subset", allow_subset=True)
    assert len(_prepare(config, tmp_path / "prepared").as_data_source("train")) == 6


def test_the_function_alone_does_not_import_tfds():
    code = "import sys, ganfail_jax.data.pipelines; print('tensorflow_datasets' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert answer.stdout.strip() == b"False"
