"""Train a classifier of artifacts from a person's labels (Tousi 2021, sec. 3.2).

    python -m train.artifact_classifier --labels=analyze/labels/mnist_c_v1.csv \\
        --generator=mnist_c_v1

A frozen network and one linear layer, classes artifact, normal and real. Real images come from
--images=FOLDER or the training set of --dataset; without any there are two classes. A part of the
labels is held out: what is printed was measured on it, and the weights record which samples it is,
so that what is tried later can be tried on samples that no training has used.

The classifier sees an image alone, not the class it was generated for: a label that depends on the
class requested, as those of mnist_c's generators, can be learnt only as far as it shows in the
image.
"""

from absl.flags import DEFINE_bool, DEFINE_float, DEFINE_integer, FlagValues

from ganfail_jax.cli import images, models
from ganfail_jax.cli.backbones import backbone_from, define_backbone
from ganfail_jax.cli.bounds import MOST_SAMPLES, MOST_SHOWN
from ganfail_jax.cli.flags import (
    define_dataset,
    define_mnist_dir,
    define_run,
    run_from,
    settings_from,
)
from ganfail_jax.cli.labels import define_labels, labels_from
from ganfail_jax.cli.main import Task, main
from ganfail_jax.studies import artifact_classifier


def define(flags: FlagValues) -> None:
    define_dataset(flags)
    define_mnist_dir(flags)
    define_run(flags, batch_size=100)
    models.define_generator(flags)
    models.define_noise(flags, "const", models.LABELLED)
    define_backbone(flags)
    define_labels(flags)
    images.define_real(flags)
    text = "Real images (default: as many as normal ones); 0: none."
    DEFINE_integer("num_real", None, text, 0, MOST_SAMPLES, flag_values=flags)
    text = "Share of every class that is not trained on."
    DEFINE_float("held_out", 0.3, text, 0.01, 0.99, flag_values=flags)
    text = "Classes weigh alike, however many samples they have."
    DEFINE_bool("balance", True, text, flag_values=flags)
    text = "Random splits of the label-efficiency curve; 0: no curve."
    DEFINE_integer("draws", 10, text, 0, MOST_SHOWN, flag_values=flags)


def plan(flags: FlagValues) -> Task:
    subject = models.generator_from(flags)
    labels = labels_from(flags, subject, least=1)
    shape, normal = subject.generator.image_shape, int((~labels.artifact).sum())
    real = images.real_images_if_any(flags, shape, normal)
    settings = settings_from(artifact_classifier.Settings, flags)
    return artifact_classifier.plan(
        subject, labels, real, backbone_from(flags, shape), settings, run_from(flags)
    )


if __name__ == "__main__":
    main(__doc__, define, plan)
