"""The stored numbers are those of the onnxruntime that is installed, if one is."""

import numpy as np
import pytest

from tests.nn.onnx_cases import cases, files

onnxruntime = pytest.importorskip("onnxruntime")


@pytest.mark.parametrize(
    "area", ["convolution", "elementwise", "normalisation", "pooling", "reductions", "resizing"]
)
def test_stored_outputs(area):
    stored = cases("onnx_operators", area)
    for name, raw in files("onnx_operators", area).items():
        session = onnxruntime.InferenceSession(raw)
        outputs = session.run(None, {session.get_inputs()[0].name: stored[name].images})[0]
        np.testing.assert_allclose(outputs, stored[name].logits, rtol=1e-4, atol=1e-5, err_msg=name)
