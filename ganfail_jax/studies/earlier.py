"""Results that a study starts from: read back, and refused where they are of something else."""

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np

from ganfail_jax import results
from ganfail_jax.errors import InputError
from ganfail_jax.results import Result

Record = TypeVar("Record", bound=tuple)


def read(
    folder: str,
    what: str,
    identity: Mapping[str, Any],
    models: tuple[str, ...] = ("generator",),
) -> Result:
    """An earlier result of the same models.

    Args:
        what: it holds, in the plural, for a person.
        identity: of the study that reads it.
        models: whose SHA-256 must agree, such as "generator" and "artifact_classifier".

    Raises:
        InputError: there is none, or it is of other models.
    """
    result = results.load(folder)
    made = result.provenance["identity"]
    for name in models:
        if made.get(f"{name}_sha256") != identity[f"{name}_sha256"]:
            with results.of_this_version(folder):
                whose = made.get(name) or " and ".join(made.get(f"{name}s", ()))
            kind = name.replace("_", " ") + (f": {whose}" if whose else "")
            raise InputError(f"the {what} in {folder} are of another {kind}")
    return result


def check_arrays(
    what: str, arrays: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]]
) -> None:
    """Check what is used of a result, which may be altered, or of another version.

    Args:
        what: they are, for a person.
        shapes: by the names of the arrays that are looked at.

    Raises:
        InputError: one has other than finite real numbers, or another shape.
    """
    for name, shape in shapes.items():
        array = arrays[name]
        if array.dtype.kind not in "iuf" or not np.isfinite(array).all():
            raise InputError(f"{what}: {name} has other than finite numbers; make the result anew")
        if array.shape != shape:
            raise InputError(
                f"{what}: {name} has the shape {array.shape}, these models need {shape}; "
                "make the result anew"
            )


def settings(what: str, identity: Mapping[str, Any], record: type[Record]) -> Record:
    """The settings in the identity of a result; none is assumed.

    Args:
        what: they are of, for a person.
        record: a NamedTuple whose fields have defaults.

    Raises:
        InputError: one is missing, of another type than its default, or not finite.
    """
    defaults: dict[str, Any] = record._field_defaults  # pyright: ignore
    if missing := [name for name in defaults if name not in identity]:
        names = ", ".join(missing)
        raise InputError(f"{what}: no {names} in its identity; make the result anew")
    found = {name: identity[name] for name in defaults}
    for name, default in defaults.items():
        kinds = (int, float) if isinstance(default, float) else type(default)
        value = found[name]
        wrong = isinstance(value, bool) or not isinstance(value, kinds)
        if wrong or (isinstance(value, float) and not np.isfinite(value)):
            raise InputError(f"{what}: {name} is {str(value)[:40]!r}; make the result anew")
    return record(**found)


def noise(identity: Mapping[str, Any]) -> str:
    """The noise of an earlier result; those that do not record it had constant noise."""
    return identity.get("noise", "const")
