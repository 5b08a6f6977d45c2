"""What is studied: a generator, and the classifiers that it tests.

Beside the functions and parameters stands what identifies them in a result: names and hashes.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from ganfail_jax import own_models, zoo
from ganfail_jax.analysis.outputs import Models
from ganfail_jax.errors import InputError
from ganfail_jax.names import last_part, printable
from ganfail_jax.studies import fingerprints
from ganfail_jax.types import Classifier, Generator, Noise, Params


class GeneratorSubject(NamedTuple):
    """A generator alone."""

    generator: Generator
    params: Params
    identity: Mapping[str, Any]  # name, SHA-256 and noise

    @property
    def name(self) -> str:
        return self.identity["generator"]

    def with_noise(self, noise: Noise) -> "GeneratorSubject":
        """The same with other noise; a generator without noise inputs stays as it is."""
        generator = self.generator.with_noise(noise)
        return self._replace(
            generator=generator, identity={**self.identity, "noise": generator.noise}
        )


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

    def with_noise(self, noise: Noise) -> "Subject":
        """The same with other noise; a generator without noise inputs stays as it is."""
        generator = self.generator.with_noise(noise)
        models = tuple(each._replace(generator=generator.generator) for each in self.models)
        return Subject(models, {**self.identity, "noise": generator.identity["noise"]})

    def only(self, place: int) -> "Subject":
        """The generator with one of the classifiers."""
        several = ("classifiers", "classifier_sha256")
        own = {name: [self.identity[name][place]] for name in several}
        return Subject((self.models[place],), {**self.identity, **own})

    @property
    def names(self) -> tuple[str, ...]:
        """Of the generator and the classifiers, for a folder."""
        return self.identity["generator"], *(last_part(name) for name in self.classifiers)

    @property
    def title(self) -> str:
        """For a person."""
        return f"classifier {' and '.join(self.classifiers)} on generator {self.names[0]}"


def load(name: str, noise: Noise | None = None) -> GeneratorSubject:
    """A generator by its bundled name, folder or published file, or by its factory.

    The file's hash identifies it, so results, labels and classifiers that commands made of it are
    known as its own; one of a factory, `package.module:factory`, is as `of_generator`.

    Args:
        noise: what its noise inputs get; None: as it was stored.

    Raises:
        InputError: it cannot be read.
    """
    if own_models.is_factory(name):
        generator, params = own_models.load_generator(name)
        generator = generator if noise is None else generator.with_noise(noise)
        return of_generator(generator, params, name)
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


def load_classifiers(
    subject: GeneratorSubject,
    names: Sequence[str],
    entry: Mapping[str, Any] = MappingProxyType({}),
) -> Subject:
    """The generator with classifiers, by bundled names, folders, factories or files.

    Args:
        entry: arguments of `nn.wrapped.wrap` for those of factories and files.

    Raises:
        InputError: unreadable weights, models that do not fit each other, or `entry` for stored
            classifiers alone.
    """
    check_entry(names, entry)
    classifiers, hashes, shape = {}, {}, subject.generator.image_shape
    for name in names:
        if own_models.is_own(name):
            classifiers[name] = own_models.load_classifier(name, shape, entry)
        else:
            classifiers[name] = zoo.load_classifier(name)
            hashes[name] = zoo.read_classifier(name).sha256
    return with_classifiers(subject, classifiers, hashes)


def check_entry(names: Sequence[str], entry: Mapping[str, Any]) -> None:
    """
    Raises:
        InputError: `entry` is given, but none of the classifiers is of a factory or a file.
    """
    if entry and not any(map(own_models.is_own, names)):
        raise InputError(
            f"{', '.join(names)} says itself how images enter it; leave out {', '.join(entry)}"
        )


def of_generator(generator: Generator, params: Params, name: str) -> GeneratorSubject:
    """A generator in hand; its parameters and its images of fixed latents identify it.

    Raises:
        InputError: it does not keep the contract of `types.Generator`.
    """
    try:
        sha256 = fingerprints.of_generator(generator, params)
    except InputError as error:
        raise InputError(f"generator {name}: {error}") from error
    identity = {"generator": name, "generator_sha256": sha256}
    return GeneratorSubject(generator, params, identity | {"noise": generator.noise})


def with_classifiers(
    subject: GeneratorSubject,
    classifiers: Mapping[str, tuple[Classifier, Params]],
    hashes: Mapping[str, str] | None = None,
) -> Subject:
    """The generator with classifiers, by their names.

    Args:
        hashes: of the classifiers; of others their parameters and logits of fixed images make one.

    Raises:
        InputError: one does not take the generator's images, has other classes, or does not keep
            the contract of `types.Classifier`.
    """
    models = []
    for name, (classifier, params) in classifiers.items():
        models.append(Models(subject.generator, subject.params, classifier, params))
        _check_fit(subject.name, name, models[-1])
    names, hashes = list(classifiers), hashes or {}
    identity = {
        "classifiers": _unique_names(names),
        "classifier_sha256": [
            hashes.get(name) or _fingerprint(name, each)
            for name, each in zip(names, models, strict=True)
        ],
    }
    return Subject(tuple(models), {**subject.identity, **identity})


def _fingerprint(name: str, models: Models) -> str:
    shape = models.generator.image_shape
    try:
        return fingerprints.of_classifier(models.classifier, models.classifier_params, shape)
    except InputError as error:
        raise InputError(f"classifier {name}: {error}") from error


def _unique_names(paths: list[str]) -> list[str]:
    short = list(map(last_part, paths))
    return short if len({*short}) == len(short) else list(map(printable, paths))


def _check_fit(generator_name: str, classifier_name: str, models: Models) -> None:
    generator, classifier = models.generator, models.classifier
    if classifier.image_shape is not None and classifier.image_shape != generator.image_shape:
        shapes = generator.image_shape, classifier.image_shape
        made, taken = ("x".join(map(str, shape)) for shape in shapes)
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


def check_gradient(subject: Subject, instead: str) -> None:
    """
    Args:
        instead: what would do without a gradient, for a person.

    Raises:
        InputError: a classifier has none.
    """
    for name, models in zip(subject.classifiers, subject.models, strict=True):
        if not models.classifier.has_gradient:
            raise InputError(f"classifier {name} has no gradient; {instead}")


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
