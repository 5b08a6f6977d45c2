"""What is studied: a generator, and the classifiers that it tests.

Beside the functions and parameters stands what identifies them in a result: names and hashes.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from ganfail_jax import zoo
from ganfail_jax.analysis.outputs import Models
from ganfail_jax.errors import InputError
from ganfail_jax.names import last_part, printable
from ganfail_jax.types import Classifier, Generator, Noise, Params


class GeneratorSubject(NamedTuple):
    """A generator alone."""

    generator: Generator
    params: Params
    identity: Mapping[str, Any]  # name, SHA-256 and noise

    @property
    def name(self) -> str:
        return self.identity["generator"]


class Subject(NamedTuple):
    """A generator with each of the classifiers that it tests."""

    models: tuple[Models, ...]
    identity: Mapping[str, Any]  # the generator's, and names and SHA-256 of the classifiers

    @property
    def generator(self) -> GeneratorSubject:
        own = {k: v for k, v in self.identity.items() if not k.startswith("classifier")}
        return GeneratorSubject(self.models[0].generator, self.models[0].generator_params, own)

    @property
    def classifiers(self) -> list[str]:
        """Their names."""
        return self.identity["classifiers"]

    @property
    def names(self) -> tuple[str, ...]:
        """Of the generator and the classifiers, for a folder."""
        return self.identity["generator"], *(last_part(name) for name in self.classifiers)

    @property
    def title(self) -> str:
        """For a person."""
        return f"classifier {' and '.join(self.classifiers)} on generator {self.names[0]}"


def params_hash(params: Params) -> str:
    """SHA-256 over the names, shapes, types and bytes of all arrays."""
    digest = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        array = np.ascontiguousarray(leaf)
        digest.update(f"{jax.tree_util.keystr(path)} {array.shape} {array.dtype}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def load(name: str, noise: Noise | None = None) -> GeneratorSubject:
    """A generator by its bundled name, folder or published file; the file's hash identifies it.

    So results, labels and classifiers that commands made of it are known as its own.

    Args:
        noise: what its noise inputs get; None: as it was stored.

    Raises:
        InputError: it cannot be read.
    """
    generator, params = zoo.load_generator(name)
    generator = generator if noise is None else generator.with_noise(noise)
    stored = zoo.read_generator(name)
    identity: dict[str, Any] = {
        "generator": last_part(name),
        "generator_sha256": stored.sha256,
        "noise": generator.noise,
    }
    if "remarks" in stored.about:
        identity["generator_remarks"] = stored.about["remarks"]
    return GeneratorSubject(generator, params, identity)


def load_classifiers(subject: GeneratorSubject, names: Sequence[str]) -> Subject:
    """The generator with stored classifiers, by bundled names or folders.

    Raises:
        InputError: unreadable weights, or models that do not fit each other.
    """
    classifiers = {name: zoo.load_classifier(name) for name in names}
    hashes = {name: zoo.read_classifier(name).sha256 for name in names}
    return with_classifiers(subject, classifiers, hashes)


def of_generator(generator: Generator, params: Params, name: str) -> GeneratorSubject:
    """A generator in hand; its parameters' bytes identify it."""
    identity = {"generator": name, "generator_sha256": params_hash(params)}
    return GeneratorSubject(generator, params, identity | {"noise": generator.noise})


def with_classifiers(
    subject: GeneratorSubject,
    classifiers: Mapping[str, tuple[Classifier, Params]],
    hashes: Mapping[str, str] | None = None,
) -> Subject:
    """The generator with classifiers, by their names.

    Args:
        hashes: of the classifiers; None: of their parameters' bytes. They do not see a change of a
            classifier's functions: give it another name then, or a hash of its own.

    Raises:
        InputError: one does not take the generator's images or has other classes.
    """
    models = []
    for name, (classifier, params) in classifiers.items():
        models.append(Models(subject.generator, subject.params, classifier, params))
        _check_fit(subject.name, name, models[-1])
    if hashes is None:
        hashes = {name: params_hash(params) for name, (_, params) in classifiers.items()}
    names = list(classifiers)
    identity = {
        "classifiers": _unique_names(names),
        "classifier_sha256": [hashes[name] for name in names],
    }
    return Subject(tuple(models), {**subject.identity, **identity})


def _unique_names(paths: list[str]) -> list[str]:
    short = list(map(last_part, paths))
    return short if len({*short}) == len(short) else list(map(printable, paths))


def _check_fit(generator_name: str, classifier_name: str, models: Models) -> None:
    generator, classifier = models.generator, models.classifier
    if generator.image_shape != classifier.image_shape:
        made, taken = ("x".join(map(str, m.image_shape)) for m in (generator, classifier))
        raise InputError(
            f"generator {generator_name} makes {made} images, but classifier "
            f"{classifier_name} takes {taken}; give two that fit"
        )
    if generator.num_classes not in (0, classifier.num_classes):
        raise InputError(
            f"generator {generator_name} has {generator.num_classes} classes, but classifier "
            f"{classifier_name} has {classifier.num_classes}; give two that fit"
        )


def check_truncation(subject: GeneratorSubject, truncation_psi: float) -> None:
    """
    Raises:
        InputError: truncation is asked for, but the generator has none.
    """
    if subject.generator.mapping is None and truncation_psi != 1:
        raise InputError(f"{subject.name} has no truncation; --truncation_psi must be 1")


def check_labelled_noise(generator: Generator) -> None:
    """
    Raises:
        InputError: labels are asked for, but the images are others than those labelled.
    """
    if generator.has_noise and generator.noise != "const":
        raise InputError(
            f"labels are of images with constant noise, not --noise={generator.noise}: leave it out"
        )


def class_index(name: str, classifier: Classifier) -> int:
    """A class by its name.

    Raises:
        InputError: there is no such class.
    """
    names = classifier.class_names
    if name not in names:
        raise InputError(f"no class {name!r}; the classes are {', '.join(names)}")
    return names.index(name)
