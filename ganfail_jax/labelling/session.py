"""What is labelled, what the page receives of it, and what the page may change."""

from collections.abc import Callable
from typing import Any, NamedTuple

from ganfail_jax.data.label_store import Changes, LabelStore
from ganfail_jax.data.label_table import LABELS
from ganfail_jax.files import FileError, parse_json


class Session(NamedTuple):
    """What is labelled, and where to."""

    store: LabelStore
    picture: Callable[[int], bytes]  # index -> PNG file
    generator: str
    num_classes: int  # 0: none; a sample's class is its index modulo this
    seed: int
    first_index: int
    num_samples: int

    def has(self, index: int) -> bool:
        return 0 <= index - self.first_index < self.num_samples

    def labels(self) -> dict[int, str]:
        """The label of each labelled sample, in the order in which they were made."""
        every = self.store.labels.items()
        return {i: label for (i, seed), label in every if seed == self.seed and self.has(i)}

    @property
    def images(self) -> str:
        """What the address of every image begins with; the index behind it completes it."""
        return f"/images/{self.store.generator}/{self.seed}/"

    def state(self) -> dict[str, Any]:
        """What the page begins with, for JSON."""
        return {
            "generator": self.generator,
            "seed": self.seed,
            "first": self.first_index,
            "number": self.num_samples,
            "classes": self.num_classes,
            "file": str(self.store.file),
            "images": self.images,
            "labels": [*self.labels().items()],
        }

    def parse(self, body: bytes) -> Changes:
        """The changes that the page asks for: {"labels": [[index, label or null], ...]}.

        Raises:
            ValueError: it is anything else.
        """
        try:
            request = parse_json(body)
        except FileError as error:
            raise ValueError("the body is not JSON") from error
        match request:
            case {"labels": [_, *_] as pairs} if len(request) == 1:
                return {(index, self.seed): label for index, label in map(self._pair, pairs)}
            case _:
                raise ValueError('the body must be {"labels": [[index, label], ...]}')

    def _pair(self, pair: Any) -> tuple[int, str | None]:
        match pair:
            case [bool(), _]:
                pass
            case [int(index), _] if not self.has(index):
                raise ValueError(f"no sample {index} is shown")
            case [int(index), str() | None as label] if label in (*LABELS, None):
                return index, label
            case [int(), str()]:
                raise ValueError(f"labels are {', '.join(LABELS)}")
        raise ValueError("a change must be [index, label]")
