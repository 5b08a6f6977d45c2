"""Flags of the tables of Choi 2022, and the tables: ablation_fid and top_bottom."""

from collections.abc import Sequence

from absl.flags import DEFINE_bool, DEFINE_integer, DEFINE_list, DEFINE_string, FlagValues

from ganfail_jax.analysis.rates import early_layers, find_layers
from ganfail_jax.cli.bounds import MOST_SAMPLES
from ganfail_jax.cli.features import features_for
from ganfail_jax.cli.flags import define_num_samples, settings_from
from ganfail_jax.cli.images import GENERATED, real_images_from
from ganfail_jax.cli.models import generator_from
from ganfail_jax.cli.rates import define_rates, define_threshold, rates_from
from ganfail_jax.cli.tables import TableFlags
from ganfail_jax.errors import InputError
from ganfail_jax.studies import rate_tables
from ganfail_jax.studies.rate_tables import Compared, Settings, find_layer_sets
from ganfail_jax.studies.subject import GeneratorSubject
from ganfail_jax.studies.tables import Table

COMMON = ("threshold", "rates", "rates_samples", "num_samples", "ends", "within_classes")


def define(flags: FlagValues) -> None:
    """Beside the flags that all tables have, and --neighbours."""
    define_threshold(flags)
    define_rates(flags)
    define_num_samples(flags, 50_000, least=4)
    text = "ablation_fid: sets of neurons to ablate."
    DEFINE_list("sets", list(rate_tables.SETS), text, flag_values=flags)
    text = "ablation_fid: layers to ablate together, such as choi:0;choi:0,choi:1."
    DEFINE_string("layer_sets", None, text, flag_values=flags)
    text = "ablation_fid, top_bottom: images of Top and of Bottom."
    DEFINE_integer("ends", 2_000, text, 2, MOST_SAMPLES, flag_values=flags)
    text = "ablation_fid, top_bottom: Top and Bottom of every class, as many of each."
    DEFINE_bool("within_classes", False, text, flag_values=flags)


def _ablation_fid(flags: FlagValues) -> Table:
    text = flags.layer_sets
    sets = None if text is None else [names.split(",") for names in text.split(";")]
    subject = _subject(flags)
    layers = subject.generator.layers
    settings = settings_from(Settings, flags)
    rate_tables.check(subject, settings, sets=flags.sets)
    needed = {*early_layers(layers), *(n for each in find_layer_sets(layers, sets) for n in each)}
    compared = _compared(flags, subject, find_layers(layers, [*needed]))
    own = {"sets": flags.sets, "random_draws": flags.random_draws}
    return rate_tables.ablation_fid(compared, settings, layer_sets=sets, **own)


def _top_bottom(flags: FlagValues) -> Table:
    subject = _subject(flags)
    settings = settings_from(Settings, flags)
    rate_tables.check(subject, settings, flags.neighbours)
    compared = _compared(flags, subject, early_layers(subject.generator.layers))
    return rate_tables.top_bottom(compared, settings, neighbours=flags.neighbours)


def _subject(flags: FlagValues) -> GeneratorSubject:
    if flags.truncation_psi != 1:
        raise InputError("activation rates are without truncation; --truncation_psi must be 1")
    return generator_from(flags)


def _compared(flags: FlagValues, subject: GeneratorSubject, layers: Sequence[str]) -> Compared:
    shape = subject.generator.image_shape
    features = features_for(flags, shape)  # before images are read
    return Compared(
        subject=subject,
        source=rates_from(flags, subject, layers),
        real=real_images_from(flags, shape, GENERATED, flags.num_real),
        features=features,
    )


TABLES = {
    "ablation_fid": TableFlags(_ablation_fid, (*COMMON, "sets", "layer_sets", "random_draws")),
    "top_bottom": TableFlags(_top_bottom, (*COMMON, "neighbours")),
}
