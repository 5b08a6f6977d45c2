"""How do TFDS users load `mnist_c`? Le Coz 2022, sec. 3.1, as the dataset `mnist_c/1.0.0`.

    import tensorflow_datasets as tfds
    from ganfail_jax.data import mnist_c_builder  # registers the dataset
    builder = tfds.builder("mnist_c/half", file_format="array_record")
    builder.download_and_prepare()
    builder.as_data_source("train")[0]["image"]

No tensorflow: examples carry PNG bytes, and array_record is read by `as_data_source`.
"""

import dataclasses
import io
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds
from jaxtyping import UInt8
from PIL import Image

from ganfail_jax.data import mnist
from ganfail_jax.data.mnist_c import Corruption, corrupt


@dataclasses.dataclass
class MnistCConfig(tfds.core.BuilderConfig):
    """A variant of mnist_c; pass your own as `tfds.builder("mnist_c", config=MnistCConfig(...))`.

    Attributes:
      corruption: "half", or a probability per image.
      seed: of the corruptions.
      mnist_dir: as in `mnist.load`; None leaves it to GANFAIL_MNIST_DIR and what follows.
      allow_subset: whether digits other than all 70,000 may be prepared under this name.
    """

    corruption: Corruption = "half"
    seed: int = 0
    mnist_dir: str | None = None
    allow_subset: bool = False


class MnistC(tfds.core.GeneratorBasedBuilder):
    """MNIST at 32x32, clean in part, blurred and noised in part, with the severities."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "Le Coz 2022."}
    BUILDER_CONFIGS: ClassVar[list[MnistCConfig]] = [
        MnistCConfig(
            name="half",
            description="The first half of each split is clean, the second half corrupted.",
        ),
        MnistCConfig(
            name="corrupt_proba_0.5",
            description="Each image is corrupted with probability 0.5.",
            corruption=0.5,
        ),
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=(
                "MNIST padded to 32x32; corrupted images are blurred (severity 1..3), then "
                "noised (severity 1..3). Severity 0 is a clean image."
            ),
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(32, 32, 1), encoding_format="png"),
                    "label": tfds.features.ClassLabel(num_classes=mnist.NUM_CLASSES),
                    "blur_severity": np.uint8,
                    "noise_severity": np.uint8,
                }
            ),
            supervised_keys=("image", "label"),
            disable_shuffling=True,  # the order says which half is clean
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
        del dl_manager  # `mnist.load` finds the digits
        return {split: self._generate_examples(split) for split in mnist.FILES}

    def _generate_examples(self, split: str) -> Iterator[tuple[int, dict[str, Any]]]:
        config = self.builder_config
        assert isinstance(config, MnistCConfig)
        digits = mnist.load(split, config.mnist_dir)
        expected = mnist.FILES[split].labels.shape[0]
        if len(digits.labels) != expected and not config.allow_subset:
            raise mnist.DataError(
                f"mnist_c/{config.name} needs {expected:,} digits, or allow_subset=True in its "
                f"config. {digits.source}"
            )
        corrupted = corrupt(
            digits.images, corruption=config.corruption, seed=config.seed, split=split
        )
        for index, (image, blur, noise) in enumerate(zip(*corrupted, strict=True)):
            yield (
                index,
                {
                    "image": io.BytesIO(_png(image)),
                    "label": int(digits.labels[index]),
                    "blur_severity": blur,
                    "noise_severity": noise,
                },
            )


def _png(image: UInt8[np.ndarray, "h w 1"]) -> bytes:
    with io.BytesIO() as file:
        Image.fromarray(image[..., 0]).save(file, "PNG")
        return file.getvalue()
