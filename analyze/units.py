"""What does each unit of a layer draw, and which draw artifacts? (Tousi 2021, sec. 3.1 and 3.3)

    python -m analyze.units --generator=mnist_c_pggan --dataset=mnist_c

Scores every unit by the Frechet distance of the 5 % of the samples that activate it most (the
paper: 10,000 of 200,000) from real images: a unit of high distance counts as one that draws
artifacts. Without --dataset or --images a generator is compared with all its own samples. Shows
units beside their top images and their representative image (fig. 4, 7), and groups of units that
draw alike (fig. 8).
"""

from absl.flags import DEFINE_enum, DEFINE_integer, DEFINE_list, FlagValues

from ganfail_jax.analysis.correction import STOP
from ganfail_jax.analysis.unit_activity import MEASURES
from ganfail_jax.cli import classifiers, features, images, models
from ganfail_jax.cli.bounds import MOST_SAMPLES, MOST_SHOWN
from ganfail_jax.cli.flags import (
    define_dataset,
    define_mnist_dir,
    define_num_samples,
    define_run,
    run_from,
    settings_from,
    whole_numbers,
)
from ganfail_jax.cli.layers import define_layers, layers_from
from ganfail_jax.cli.main import Task, main
from ganfail_jax.studies import units


def define(flags: FlagValues) -> None:
    define_dataset(flags)
    define_mnist_dir(flags)
    define_run(flags, batch_size=250)
    define_num_samples(flags, 20_000, least=3)
    models.define_generator(flags)
    models.define_noise(flags, "const", models.LABELLED)
    define_layers(flags, STOP)
    features.define_features(flags)
    images.define_real(flags)
    use = "whose feature map is compared; default: the dataset's, if it fits"
    classifiers.define_classifier(flags, use)
    text = "Images per unit whose FID it has (default: 5 %)."
    DEFINE_integer("fid_top", None, text, 2, MOST_SAMPLES, flag_values=flags)
    text = "Images per unit that make its representative image."
    DEFINE_integer("top", 20, text, 1, MOST_SAMPLES, flag_values=flags)
    text = "How a unit's activity is read from its map."
    DEFINE_enum("measure", "max", list(MEASURES), text, flag_values=flags)
    text = "Units shown, such as 3,17 (default: of highest and lowest FID)."
    DEFINE_list("show_units", None, text, flag_values=flags)
    DEFINE_integer("clusters", 8, "Groups of units.", 1, MOST_SHOWN, flag_values=flags)


def plan(flags: FlagValues) -> Task:
    subject = models.generator_from(flags)
    generator = subject.generator
    given = settings_from(
        units.Settings,
        flags,
        layers=layers_from(flags, generator),
        units=whole_numbers(flags, "show_units", "units count from 0"),
    )
    settings = units.checked(given, generator)  # before images are read
    alone = flags.generator and not (flags.images or flags["dataset"].present)
    chosen = features.features_for(flags, generator.image_shape)
    real = None if alone else images.real_images_from(flags, generator.image_shape)
    return units.plan(subject, units.Reference(chosen, real), settings, run_from(flags))


if __name__ == "__main__":
    main(__doc__, define, plan)
