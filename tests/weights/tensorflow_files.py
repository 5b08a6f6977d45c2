"""Writes NVIDIA's TensorFlow and Theano pickles as their repositories do, from other weights.

The inverse of the documented conventions, written independently of the readers.
"""

import io
import math
import pickle
import struct
import sys
import types
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np

CLASSES = {  # module -> names of classes; the base of EasyDict is dict
    "dnnlib.tflib.network": ("Network",),
    "dnnlib.util": ("EasyDict",),
    "tfutil": ("Network",),
    "network": ("Network",),
}
SOURCE = "raise AssertionError('the source text in a file must never be run')\n"


@contextmanager
def published_classes():
    """Importable modules with the classes that the files name; gone again afterwards."""
    before = {name: sys.modules.get(name) for name in ("dnnlib", "dnnlib.tflib", *CLASSES)}
    made = {}
    for name in before:
        sys.modules[name] = module = types.ModuleType(name)
        for title in CLASSES.get(name, ()):
            base = dict if title == "EasyDict" else object
            made[name, title] = type(title, (base,), {"__module__": name})
            setattr(module, title, made[name, title])
    try:
        yield made
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


PurePickler: Any = vars(pickle)["_Pickler"]  # the one whose opcodes can be chosen


class Python2Pickler(PurePickler):
    """Texts and array data as byte strings, and numpy's older module names."""

    dispatch: ClassVar = dict(PurePickler.dispatch)

    def save_bytes(self, value):
        raw = value.encode("latin1") if isinstance(value, str) else value
        short = len(raw) < 256
        self.write(b"U" + bytes([len(raw)]) if short else b"T" + struct.pack("<i", len(raw)))
        self.write(raw)
        self.memoize(value)

    def save_global(self, obj, name=None):
        module = obj.__module__.replace("numpy._core", "numpy.core")
        module = {"builtins": "__builtin__", "copyreg": "copy_reg"}.get(module, module)
        self.write(f"c{module}\n{name or obj.__qualname__}\n".encode())
        self.memoize(obj)

    dispatch[bytes] = dispatch[str] = save_bytes
    dispatch[types.FunctionType] = dispatch[types.BuiltinFunctionType] = save_global


class Net:
    """What is to become a `Network`: its class's module and its state."""

    def __init__(self, module, state):
        self.module, self.state = module, state


def dump(root, protocol=4, python2=False):
    """A pickle of nested containers of `Net`s."""
    with published_classes() as classes:

        def make(value):
            if isinstance(value, Net):
                found = classes[value.module, "Network"]()
                found.__dict__.update(make(value.state))
                return found
            if isinstance(value, EasyDict):
                return classes["dnnlib.util", "EasyDict"](make(dict(value)))
            if isinstance(value, list | tuple):
                return type(value)(make(inner) for inner in value)
            return {k: make(v) for k, v in value.items()} if isinstance(value, dict) else value

        file = io.BytesIO()
        (Python2Pickler if python2 else pickle.Pickler)(file, protocol).dump(make(root))
    return file.getvalue()


class EasyDict(dict):
    """Stands for dnnlib's."""


def state(function, variables, settings, version, components=None, name=None):
    found = {
        "version": version,
        "name": name or function,
        "static_kwargs": settings,
        "build_module_src": SOURCE,
        "build_func_name": function,
        "variables": list(variables.items()),
    }
    return found if components is None else {**found, "components": components}


def stylegan2_variables(weights):
    """NVIDIA's PyTorch names -> {part: {name: value}}."""
    parts = {"": {"lod": np.float32(0)}, "mapping": {}, "synthesis": {}}
    for name, array in weights.items():
        if name.endswith("resample_filter"):
            continue
        part, block, *rest = name.split(".")
        if name == "mapping.w_avg":
            parts[""]["dlatent_avg"] = array
        elif part == "mapping":
            scope = "LabelEmbed" if block == "embed" else block.replace("fc", "Dense")
            parts[part][f"{scope}/{rest[0]}"] = array.T
        elif rest == ["const"]:
            parts[part]["4x4/Const/const"] = array[None]
        else:
            layer, *field = rest
            size = int(block[1:])
            if field == ["noise_const"]:
                n = 2 * int(math.log2(size)) - (5 if layer == "conv0" else 4)
                parts[part][f"noise{n}"] = array[None, None]
                continue
            scope = {"conv0": "Conv0_up", "torgb": "ToRGB"}.get(layer, "Conv1")
            scope = "Conv" if (scope, size) == ("Conv1", 4) else scope
            value = array
            if field == ["weight"]:
                value = np.einsum("oihw->hwio", array)
                value = np.flip(value, (0, 1)) if layer == "conv0" else value
            elif field == ["affine", "weight"]:
                value = array.T
            elif field == ["affine", "bias"]:
                value = array - np.float32(1)
            elif field == ["noise_strength"]:
                value = np.float32(array)  # TensorFlow gives numpy's scalars, not arrays
            title = "_".join(field).replace("affine", "mod")
            parts[part][f"{size}x{size}/{scope}/{title}"] = value
    return parts


def stylegan2(weights, ada=False, name="Gs", version=None, changes=(), **settings):
    """A generator with its two parts; `changes` are functions of {part: {name: value}}."""
    parts = stylegan2_variables(weights)
    for change in changes:
        change(parts)
    version = version or (5 if ada else 4)
    functions = {
        "mapping": "G_mapping",
        "synthesis": "G_synthesis" if ada else "G_synthesis_stylegan2",
    }
    components = {
        part: Net(
            "dnnlib.tflib.network",
            state(function, parts[part], {"dlatent_size": 20, **settings}, version, {}),
        )
        for part, function in functions.items()
    }
    whole = state("G_main", parts[""], settings, version, EasyDict(components), name)
    return Net("dnnlib.tflib.network", whole)


def pggan_variables(weights, fused=True):
    """genforce's names -> TensorFlow's."""
    last = max(int(name[6]) for name in weights if name.startswith("output"))
    found: dict[str, Any] = {"lod": np.float32(0)}
    for name, array in weights.items():
        if name == "lod":
            continue
        layer, field = name.split(".")
        n = int(layer[6:] if layer.startswith("output") else layer[5:])
        size, second = 4 * 2 ** (n // 2), n % 2
        value = array
        if layer.startswith("output"):
            scope = f"ToRGB_lod{last - n}"
        elif size == 4:
            scope = "4x4/" + ("Conv" if second else "Dense")
        else:
            scope = f"{size}x{size}/" + ("Conv1" if second else "Conv0_up" if fused else "Conv0")
        if field == "weight":
            if scope.endswith("Dense"):
                # genforce pads z to 7x7, so that its output is the kernel turned round
                value = np.flip(array, (2, 3)).transpose(1, 0, 2, 3).reshape(array.shape[1], -1)
            elif scope.endswith("Conv0_up"):
                value = np.flip(np.einsum("oihw->hwoi", array), (0, 1))
            else:
                value = np.einsum("oihw->hwio", array)
        found[f"{scope}/{field}"] = value
    return found


def pggan(weights, fused: Any = True, name: Any = "Gs", change=lambda found: None, **settings):
    variables = pggan_variables(weights, fused)
    change(variables)
    return Net("tfutil", state("G_paper", variables, settings, 2, name=name))


def theano_pggan(weights, lod=0.0, **spec):
    """Its parameters have no names: weight, scale and bias of each layer in forward order."""
    blocks = [
        f"layer{n}" for n in range(sum(k.endswith(".weight") and k[0] == "l" for k in weights))
    ]
    rgb = sorted((k[:-7] for k in weights if k.startswith("output") and k[-1] == "t"), reverse=True)
    values = []
    for layer in [*blocks, *rgb]:
        weight = weights[f"{layer}.weight"]
        gain = 1.0 if layer in rgb else math.sqrt(2)
        he = gain / math.sqrt(weight[0].size)
        weight = weight[:, :, 0, 0].T if layer in rgb else np.flip(weight, (2, 3))
        scale = np.float32(0.37)
        values += [weight * np.float32(he / scale), np.asarray(scale), weights[f"{layer}.bias"]]
    return Net(
        "network",
        {
            "build_func_spec": {"func": "G_paper", **spec},
            "build_module_src": SOURCE,
            "param_values": values,
            "toplevel_params": {"cur_lod": np.asarray(lod, np.float32)},
        },
    )
