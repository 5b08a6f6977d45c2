"""An ONNX file by its name: what `own_models` makes of it."""

import jax
import numpy as np
import pytest

from ganfail_jax import own_models
from ganfail_jax.errors import InputError
from tests.nn.onnx_cases import cases, files


@pytest.mark.parametrize(
    ("area", "name", "shape"),
    [
        ("nets", "softmax_dynamo_one", (8, 8, 3)),
        ("probabilities", "keras_cnn", (8, 8, 3)),
        ("probabilities", "skl_multi_zipmap", (8, 8, 1)),
    ],
)
def test_images_enter_as_the_file_takes_them(area, name, shape, tmp_path):
    """Images in [-1, 1] as they are; the logits are those of the golden file."""
    path = tmp_path / "a.onnx"
    path.write_bytes(files("onnx_nets", area)[name])
    given = {"range": (-1, 1)}
    classifier, params = own_models.load_classifier(str(path), shape, given)
    case = cases("onnx_nets", area)[name]
    channels_first = case.images.ndim == 4 and case.images.shape[1] == 3
    images = np.moveaxis(case.images, 1, 3) if channels_first else case.images
    logits = classifier.logits(params, jax.numpy.asarray(images.reshape(-1, *shape)))
    wanted = case.logits if area == "nets" else np.log(case.logits)
    difference = np.asarray(logits) - wanted
    np.testing.assert_allclose(difference - difference[:, :1] * (area != "nets"), 0, atol=2e-5)
    with pytest.raises(InputError, match="is known to end in logits; leave out --outputs"):
        own_models.load_classifier(str(path), shape, {"outputs": "probabilities"})
