"""Which generated images are artifacts? A person says so (Tousi 2021, sec. 3.2)."""

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from typing import NamedTuple

from ganfail_jax.data.label_store import LabelStore
from ganfail_jax.data.label_table import LABELS, LARGEST
from ganfail_jax.errors import InputError
from ganfail_jax.labelling import exchange
from ganfail_jax.labelling.pictures import pictures
from ganfail_jax.labelling.server import LabelServer
from ganfail_jax.labelling.session import Session
from ganfail_jax.studies.subject import GeneratorSubject, check_labelled_noise


class Samples(NamedTuple):
    """What is labelled."""

    seed: int = 0
    first_index: int = 0
    num_samples: int = 500


class Exchange(NamedTuple):
    """What is done in place of a page in the browser, where anything is."""

    merge: str | None = None  # CSV file, or folder of sorted pictures, to take labels from
    export: str | None = None  # folder to write the pictures to, sorted by their labels


def plan(
    subject: GeneratorSubject,
    file: str,
    samples: Samples = Samples(),
    instead: Exchange = Exchange(),
    port: int = 0,
) -> Callable[[], Mapping[int, str]]:
    """The labelling; returns the labels by index.

    Args:
        file: CSV file of the labels.
        port: of the page; 0: any free one.

    Raises:
        InputError: the generator's noise is not constant, samples are numbered too high, or the
            folder to export to exists.
    """
    check_labelled_noise(subject.generator)
    if samples.first_index + samples.num_samples - 1 > LARGEST["index"]:
        raise InputError(f"--first_index and --num_samples go beyond sample {LARGEST['index']}")
    if instead.export is not None:
        exchange.check_free(instead.export)
    return partial(_label, subject, file, samples, instead, port)


def _label(
    subject: GeneratorSubject, file: str, samples: Samples, instead: Exchange, port: int
) -> Mapping[int, str]:
    seed, first, number = samples
    print(f"samples {first} to {first + number - 1} of {subject.name}, seed {seed}")
    with (
        closing(LabelStore(file, subject.identity["generator_sha256"])) as store,
        pictures(subject.generator, subject.params, seed) as picture,
    ):
        session = Session(
            store=store,
            picture=picture,
            generator=subject.name,
            num_classes=subject.generator.num_classes,
            **samples._asdict(),
        )
        if instead.merge:
            print(exchange.merge(store, instead.merge))
        if instead.export:
            exchange.export(session, instead.export)
            print(f"pictures in {instead.export}")
        if not (instead.merge or instead.export):
            _serve(session, port)
    labels = session.labels()
    sizes = Counter(labels.values())
    counts = ", ".join(f"{sizes[label]} {label}" for label in LABELS)
    print(f"{counts}, {number - sizes.total()} without a label\nlabels in {store.file}")
    return labels


def _serve(session: Session, port: int) -> None:
    """Serve the page until Ctrl-C."""
    with LabelServer(session, port) as server:
        print("compiling", flush=True)
        session.picture(session.first_index)
        print(f"open {server.address}")
        print("a label is saved as soon as it is given; Ctrl-C ends", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
