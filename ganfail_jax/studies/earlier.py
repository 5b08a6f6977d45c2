"""Results that a study starts from: read back, and refused where they are of something else."""

from collections.abc import Mapping
from typing import Any

from ganfail_jax import results
from ganfail_jax.errors import InputError
from ganfail_jax.results import Result


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


def noise(identity: Mapping[str, Any]) -> str:
    """The noise of an earlier result; those that do not record it had constant noise."""
    return identity.get("noise", "const")
