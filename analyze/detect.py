"""Which samples activate the most rarely activated neurons? (Choi 2022, sec. 4.1, fig. 2)

    python -m analyze.detect --dataset=mnist_c

Scores 50,000 samples by their number of activated LR neurons in the early layers and shows both
ends: the paper finds artifacts at the top. Beyond the paper it measures whether the score
distinguishes labelled artifacts (--labels), or what a classifier gets wrong (--classifier).
"""

from absl.flags import DEFINE_enum, DEFINE_integer, FlagValues

from ganfail_jax.cli import classifiers, labels, models, rates
from ganfail_jax.cli.bounds import MOST_SAMPLES
from ganfail_jax.cli.flags import run_from, settings_from
from ganfail_jax.cli.hosts import define_hosts
from ganfail_jax.cli.layers import layers_from
from ganfail_jax.cli.main import Task, main
from ganfail_jax.studies import detect
from ganfail_jax.studies.subject import load_classifiers


def define(flags: FlagValues) -> None:
    rates.define_study(flags, 50_000, least=2)
    define_hosts(flags)
    rates.define_exclude_dead(flags)
    rates.define_rates(flags)
    labels.define_labels(flags)
    text = "Samples in Top and in Bottom."
    DEFINE_integer("ends", 2_000, text, 1, MOST_SAMPLES, flag_values=flags)
    text = "sum: paper; balanced: layers weigh alike."
    DEFINE_enum("combine", "sum", list(detect.SCORES), text, flag_values=flags)
    classifiers.define_classifier(flags, "measures whether the score finds its errors")


def plan(flags: FlagValues) -> Task:
    subject = models.generator_from(flags)
    layers = layers_from(flags, subject.generator)
    source = rates.rates_from(flags, subject, layers)
    known = detect.Known()
    if flags.labels is not None:
        own = labels.labels_from(flags, subject, least=2)
        known = known._replace(labels=own)
    if flags.classifier is not None:
        entry = classifiers.entry_from(flags)
        classified = load_classifiers(subject, [flags.classifier], entry)
        known = known._replace(classified=classified)
    settings = settings_from(detect.Settings, flags)
    return detect.plan(subject, source, settings, run_from(flags), known=known)


if __name__ == "__main__":
    main(__doc__, define, plan)
