"""A Keras 3 model as a function of its variables and JAX arrays, by Keras' own JAX backend.

The one file that uses Keras, which the extra `keras` installs.
"""

import importlib
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from ganfail_jax import files, npz
from ganfail_jax.errors import InputError
from ganfail_jax.nn.functions import Function
from ganfail_jax.weights.errors import WeightsError

BACKEND = "KERAS_BACKEND"


def choose_backend() -> None:
    """Make Keras run on JAX, if nobody chose otherwise; before it is imported."""
    os.environ.setdefault(BACKEND, "jax")


def is_model(value: Any) -> bool:
    """Whether this is a Keras model."""
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(value, keras.Model)


def read(path: Path) -> Function:
    """A `.keras` file, by Keras' reader in safe mode: nothing in it is run.

    Raises:
        InputError: Keras is not installed, or runs on another backend.
        WeightsError: the file is damaged, or has layers that are not Keras' own.
    """
    choose_backend()
    try:
        keras = importlib.import_module("keras")
    except ModuleNotFoundError as error:
        raise InputError(f'{path} needs Keras: `pip install "ganfail_jax[keras]"`') from error
    with files.refusals(path, WeightsError):
        npz.archive(files.read(path)).close()
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    return function(model)


def function(model: Any) -> Function:
    """What a model computes in inference.

    Where its last layer is a softmax, its outputs are probabilities.

    Raises:
        InputError: Keras runs on another backend than JAX.
    """
    keras: Any = sys.modules["keras"]
    if keras.config.backend() != "jax":
        raise InputError(f"Keras runs on {keras.config.backend()}; set {BACKEND}=jax")
    shape = model.input_shape
    if not isinstance(shape, tuple) or len(shape) != 4:
        raise WeightsError(f"a model of inputs of shape {shape}; images (None, h, w, c) are wanted")
    variables = model.trainable_variables, model.non_trainable_variables
    params = tuple([np.asarray(each.value) for each in some] for some in variables)

    def logits(params: Any, images: Any) -> Any:
        return model.stateless_call(*params, images, training=False)[0]

    softmax = getattr(model.layers[-1], "activation", None) is keras.activations.softmax
    entry: dict[str, Any] = {"outputs": "probabilities"} if softmax else {}
    if None not in shape[1:]:
        entry |= {"size": shape[1:3], "channels": shape[3]}
    return Function(logits, params, entry)
