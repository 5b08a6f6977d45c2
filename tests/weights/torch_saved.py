"""Files with the structure of torch.save's, written without torch."""

import io
import pickle
import sys
import types
import zipfile
from collections import OrderedDict
from typing import Any
from unittest import mock

import numpy as np

STORAGES = {"float32": "FloatStorage", "float16": "HalfStorage", "float64": "DoubleStorage"}


def _fake_torch() -> dict[str, types.ModuleType]:
    """Modules in which pickle finds the names that real files have."""
    modules = {name: types.ModuleType(name) for name in ("torch", "torch._utils")}

    def _rebuild_tensor_v2(*_: Any) -> None: ...

    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    modules["torch._utils"]._rebuild_tensor_v2 = _rebuild_tensor_v2  # pyright: ignore
    for name in STORAGES.values():
        kind = type(name, (), {"__module__": "torch", "__qualname__": name})
        setattr(modules["torch"], name, kind)
    return modules


class _Storage:
    def __init__(self, array: np.ndarray):
        self.array = array


class _Saver(pickle.Pickler):
    """Tensors as torch pickles them, for numpy arrays."""

    def __init__(self, file: io.BytesIO, torch: dict[str, types.ModuleType]):
        super().__init__(file, 2)
        self.torch, self.storages = torch, list[np.ndarray]()

    def persistent_id(self, obj: Any) -> Any:
        if not isinstance(obj, _Storage):
            return None
        self.storages.append(obj.array)
        kind = getattr(self.torch["torch"], STORAGES[obj.array.dtype.name])
        return "storage", kind, str(len(self.storages) - 1), "cuda:0", obj.array.size

    def reducer_override(self, obj: Any) -> Any:
        if not isinstance(obj, np.ndarray):
            return NotImplemented
        strides = tuple(n // obj.itemsize for n in np.zeros(obj.shape, obj.dtype).strides)
        arguments = _Storage(obj), 0, obj.shape, strides, False, OrderedDict()
        return self.torch["torch._utils"]._rebuild_tensor_v2, arguments


def save(value: Any) -> bytes:
    """The zip archive that torch.save writes of nested values, numpy arrays as tensors."""
    torch, head, raw = _fake_torch(), io.BytesIO(), io.BytesIO()
    with mock.patch.dict(sys.modules, torch):
        saver = _Saver(head, torch)
        saver.dump(value)
    with zipfile.ZipFile(raw, "w") as archive:
        archive.writestr("archive/data.pkl", head.getvalue())
        archive.writestr("archive/byteorder", b"little")
        for key, array in enumerate(saver.storages):
            archive.writestr(f"archive/data/{key}", np.ascontiguousarray(array).tobytes())
        archive.writestr("archive/version", b"3\n")
    return raw.getvalue()


def script(state: dict[str, Any]) -> bytes:
    """The archive of torch.jit.save: modules (nested dicts) as objects of classes of its own."""
    script = types.ModuleType("__torch__")
    Module = type("Module", (), {"__module__": "__torch__", "__qualname__": "Module"})
    script.Module = Module  # pyright: ignore[reportAttributeAccessIssue]
    made: dict[int, Any] = {}  # a dict that occurs twice, or within itself, is one module

    def module(attributes: dict[str, Any]) -> Any:
        if id(attributes) not in made:
            made[id(attributes)] = found = Module()
            for name, value in attributes.items():
                setattr(found, name, module(value) if isinstance(value, dict) else value)
        return made[id(attributes)]

    with mock.patch.dict(sys.modules, {"__torch__": script}):
        raw = io.BytesIO(save(module(state)))
    with zipfile.ZipFile(raw, "a") as archive:  # code is compressed, constants are a second pickle
        code = "class Module(Module):\n  " + "x : Tensor\n" * 40
        archive.writestr("archive/code/__torch__.py", code, zipfile.ZIP_DEFLATED)
        archive.writestr("archive/constants.pkl", b"\x80\x02).")
    return raw.getvalue()
