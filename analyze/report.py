"""What breaks this classifier, for which classes, and what not to trust: one page, in sentences.

    python -m analyze.report --dataset=mnist_c

Runs the analyses of Le Coz 2022 that are not there yet, each in a folder within --out, and writes
report.html, one file that needs no network, and report.json, which holds everything shown. Several
classifiers (--classifiers) are compared with the first. With --generator alone, where no classifier
fits, it reports on the generator: rarely activated neurons, and its quality beside real images.
"""

from functools import partial

from absl.flags import FlagValues

from ganfail_jax.cli import images, models, rankings, reports
from ganfail_jax.cli.flags import (
    define_dataset,
    define_mnist_dir,
    define_num_samples,
    define_run,
    run_from,
    settings_from,
)
from ganfail_jax.cli.main import Task, main
from ganfail_jax.studies import report
from ganfail_jax.studies.subject import Subject


def define(flags: FlagValues) -> None:
    define_dataset(flags)
    define_mnist_dir(flags)
    define_run(flags, batch_size=250)
    define_num_samples(flags, 10_000, least=10)
    models.define_several_models(flags)
    models.define_noise(flags, "random", models.POPULATION)
    rankings.define_score(flags)
    images.define_real(flags)
    reports.define_studies(flags)
    reports.define_earlier(flags)


def plan(flags: FlagValues) -> Task:
    subject = reports.subject_from(flags)
    options, run = reports.options_from(flags, subject), run_from(flags)
    commands = partial(reports.commands_from, flags, subject)
    settings = settings_from(report.Settings, flags)
    if not isinstance(subject, Subject):
        return report.of_generator(subject, settings, run, options, commands).run
    settings = settings._replace(score=rankings.score_from(flags, subject))
    return report.of_classifiers(subject, settings, run, options, commands).run


if __name__ == "__main__":
    main(__doc__, define, plan)
