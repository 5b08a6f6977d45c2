"""Any function as a classifier: how an image enters it, and what comes out."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ganfail_jax.errors import InputError, one_line
from ganfail_jax.images import LUMA
from ganfail_jax.nn import keras_models, torch_modules
from ganfail_jax.nn.functions import Function
from ganfail_jax.nn.on_host import on_host
from ganfail_jax.types import Classifier, Params
from ganfail_jax.weights.store import params_hash

LEAST = 1e-12  # probability, so that its logarithm is finite
LAYOUTS, RESIZES, OUTPUTS = (
    ("NHWC", "NCHW"),
    ("bilinear", "pad", "crop"),
    ("logits", "probabilities"),
)
Numbers = float | int | Sequence[float | int]


class Entry(NamedTuple):
    """What a network takes for an image in [-1, 1] of any size."""

    size: tuple[int, int] | None = None  # rows, columns; None: as images come
    channels: int | None = None  # 1 or 3; None: as images come
    range: tuple[float, float] = (0.0, 1.0)  # of a pixel, black to white
    mean: tuple[float, ...] = (0.0,)  # subtracted from pixels in this range, per channel or one
    std: tuple[float, ...] = (1.0,)  # by which they are divided then
    layout: str = "NHWC"
    resize: str = "bilinear"

    def images(self, images: Float[Array, "b h w c"]) -> Float[Array, "b _ _ _"]:
        """The network's input.

        Grey becomes colour by repetition, colour grey by its luma (ITU-R BT.601). Bilinear resizing
        has half-pixel centres, and antialiasing where it shrinks, as Pillow; "pad" surrounds with
        black, "crop" takes the centre.

        Raises:
            InputError: images that cannot be brought to this form.
        """
        x = self._resized(self._coloured(images))
        low, high = self.range
        x = x * ((high - low) / 2) + (high + low) / 2
        x = (x - np.asarray(self.mean, np.float32)) / np.asarray(self.std, np.float32)
        return jnp.einsum("bhwc->bchw", x) if self.layout == "NCHW" else x

    def shape(self, batch: int) -> tuple[int, ...] | None:
        """Of the network's input; None: it depends on the images."""
        if self.size is None or self.channels is None:
            return None
        if self.layout == "NCHW":
            return batch, self.channels, *self.size
        return batch, *self.size, self.channels

    def _coloured(self, x: Array) -> Array:
        channels = x.shape[3]
        if self.channels in (None, channels):
            return x
        if (channels, self.channels) == (1, 3):
            return jnp.broadcast_to(x, (*x.shape[:3], 3))
        if (channels, self.channels) == (3, 1):
            return (x @ np.asarray(LUMA, np.float32))[..., None]
        raise InputError(f"images have {channels} channels, but it takes {self.channels}")

    def _resized(self, x: Array) -> Array:
        if self.size in (None, x.shape[1:3]):
            return x
        if self.resize == "bilinear":
            return jax.image.resize(x, (len(x), *self.size, x.shape[3]), "linear")
        more = [size - n for size, n in zip(self.size, x.shape[1:3], strict=True)]
        if self.resize == "crop" and max(more) <= 0:
            top, left = (-n // 2 for n in more)
            return x[:, top : top + self.size[0], left : left + self.size[1]]
        if self.resize == "pad" and min(more) >= 0:
            around = [(n // 2, n - n // 2) for n in more]
            return jnp.pad(x, [(0, 0), *around, (0, 0)], constant_values=-1)
        own, wanted = (f"{rows}x{columns}" for rows, columns in (x.shape[1:3], self.size))
        way = "cropped" if self.resize == "crop" else "padded"
        raise InputError(f"images of {own} cannot be {way} to {wanted}; choose another resize")


def wrap(
    function: Any,
    params: Params = None,
    *,
    size: Numbers | None = None,
    channels: int | None = None,
    range: Numbers | None = None,
    mean: Numbers | None = None,
    std: Numbers | None = None,
    layout: str | None = None,
    resize: str | None = None,
    outputs: str | None = None,
    class_names: Sequence[str] | None = None,
    gradient: bool = True,
) -> tuple[Classifier, Params]:
    """A classifier made of a function, and its parameters.

    Args:
        function: `function(params, images)`, without params `function(images)`, to logits [b, k];
            of JAX arrays, or with `gradient=False` of numpy arrays. Or an `nn.Module` of PyTorch,
            or a Keras model, which say themselves what is not given here.
        params: pytree of arrays; None: the function has none, or holds them itself.
        size: rows and columns (one number: square) of the images that it takes; None: any.
        channels: 1 or 3; None: as images come. See `Entry.images` for how they are brought there.
        range: of its pixels, black and white; None: 0 and 1.
        mean: of pixels in this range, subtracted; per channel, or one number.
        std: by which pixels are divided then.
        layout: of its images, "NHWC" or "NCHW"; None: PyTorch's for its modules, else "NHWC".
        resize: "bilinear" (None), "pad" or "crop".
        outputs: "logits" (None), or "probabilities", whose logarithm is taken.
        class_names: None: 0, 1, ..., as many as the function has outputs.
        gradient: whether JAX can differentiate the function; if not, it runs on the host.

    Raises:
        InputError: settings that contradict each other, or a function that fails or returns
            something else than logits.
    """
    made = as_function(function, params)
    given = {"size": size, "channels": channels, "range": range, "mean": mean, "std": std}
    given |= {"layout": layout, "resize": resize, "outputs": outputs}
    chosen = {**made.entry, **{name: each for name, each in given.items() if each is not None}}
    outputs = chosen.pop("outputs", "logits")
    assert outputs is not None
    entry = _entry(outputs, **chosen)
    num_classes = _num_classes(made, entry, class_names, gradient)
    called = on_host(partial(made, made.params), num_classes)  # on the host, like its params

    def head(params: Params, images: Float[Array, "b h w c"]) -> Float[Array, "b k"]:
        entered = entry.images(images)
        found = jnp.asarray(made(params, entered) if gradient else called(entered), jnp.float32)
        return jnp.log(jnp.maximum(found, LEAST)) if outputs == "probabilities" else found

    names = map(str, np.arange(num_classes) if class_names is None else class_names)
    origin = f"{tuple(entry)} {outputs} {params_hash(made.weights) if made.weights else ''}"
    classifier = Classifier(
        None, num_classes, tuple(names), None, head, has_gradient=gradient, origin=origin
    )
    return classifier, made.params


def as_function(made: Any, params: Params = None) -> Function:
    """A function, or a network of PyTorch or Keras."""
    if isinstance(made, Function):
        return made
    if torch_modules.is_module(made):
        return torch_modules.function(made)
    if keras_models.is_model(made):
        return keras_models.function(made)
    return Function(made, params)


def _size(size: Numbers | None) -> tuple[int, int] | None:
    if size is None:
        return None
    rows, columns = _numbers("size", (size, size) if isinstance(size, int) else size, 2)
    return int(rows), int(columns)


def _numbers(name: str, values: Numbers, count: int | None = None) -> tuple:
    try:
        numbers = tuple(map(float, np.atleast_1d(np.asarray(values, float))))
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} is {values!r}; numbers are wanted") from error
    if count not in (None, len(numbers)) or not np.isfinite(numbers).all():
        raise InputError(f"{name} is {values!r}; {count or 'finite'} numbers are wanted")
    return numbers


def _entry(outputs: str, **given: Any) -> Entry:
    """
    Raises:
        InputError: settings that contradict each other.
    """
    texts = {name: given.pop(name) for name in ("layout", "resize") if name in given}
    counts = {"range": 2, "mean": None, "std": None}
    numbers = {n: _numbers(n, given[n], count) for n, count in counts.items() if n in given}
    size, channels = _size(given.get("size")), given.get("channels")
    entry = Entry(size, channels, **numbers, **texts)
    choices: Mapping[str, tuple[str, tuple[str, ...]]] = {
        "layout": (entry.layout, LAYOUTS),
        "resize": (entry.resize, RESIZES),
        "outputs": (outputs, OUTPUTS),
    }
    for name, (value, allowed) in choices.items():
        if value not in allowed:
            raise InputError(f"{name} is {value!r}; it is one of {', '.join(allowed)}")
    if size is not None and min(size) < 1:
        raise InputError(f"size is {size}; rows and columns are at least 1")
    if channels not in (None, 1, 3):
        raise InputError(f"channels is {channels}; images have 1 or 3")
    if entry.range[0] >= entry.range[1]:
        raise InputError(f"range is {entry.range}; the first is black, the second white")
    if min(entry.std) <= 0:
        raise InputError(f"std is {entry.std}; it is above 0")
    for name, several in (("mean", entry.mean), ("std", entry.std)):
        if len(several) not in (1, channels or len(several)):
            raise InputError(f"{name} has {len(several)} numbers for {channels} channels")
    return entry


def _num_classes(
    function: Function,
    entry: Entry,
    class_names: Sequence[str] | None,
    gradient: bool,
) -> int:
    """By the shape of its outputs: traced, or of one call on the host."""
    shape = entry.shape(1)
    if shape is None:
        if class_names is None:
            raise InputError("give size and channels, or class_names: how many classes are there?")
        return len(class_names)
    try:
        if gradient:
            image = jax.ShapeDtypeStruct(shape, jnp.float32)
            found = jax.eval_shape(function, function.params, image)
        else:
            found = np.asarray(function(function.params, np.zeros(shape, np.float32)))
        outputs = found.shape
    except Exception as error:
        reason = f"{type(error).__name__}: {one_line(error)}"
        text = f"the function fails on images of shape {shape}: {reason}"
        raise InputError(text) from error
    if len(outputs) != 2 or outputs[0] != 1 or outputs[1] < 2:
        raise InputError(
            f"the function makes an array of shape {outputs} of one image {shape}; "
            "logits (1, classes) are wanted"
        )
    if class_names is not None and len(class_names) != outputs[1]:
        raise InputError(f"{len(class_names)} class names for {outputs[1]} outputs")
    return outputs[1]
