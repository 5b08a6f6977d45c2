"""Which smallest degradations take each class to softmax 0.50? (Le Coz 2022, sec. 3.4, fig. 7)

    python -m analyze.corner_cases --dataset=mnist_c

From a start of each class, finds the smallest shift along each top dimension, and the smallest move
over several at once, that takes the output for the class to 0.50. With --noise=random a start keeps
its noise while it is moved: a sample its own, any other that of sample 0.
"""

from absl.flags import DEFINE_bool, DEFINE_float, DEFINE_integer, DEFINE_list, FlagValues

from ganfail_jax.cli import models, rankings, starts
from ganfail_jax.cli.bounds import MOST, MOST_DEVIATIONS, MOST_SHOWN
from ganfail_jax.cli.flags import define_dataset, define_run, run_from, settings_from
from ganfail_jax.cli.main import Task, main
from ganfail_jax.studies import corner_cases


def define(flags: FlagValues) -> None:
    define_dataset(flags)
    define_run(flags, batch_size=50)
    models.define_models(flags)
    models.define_noise(flags, "const", models.ONE_IMAGE)
    rankings.define_ranking(flags)
    starts.define_start(flags)
    DEFINE_list("classes", None, "Names of the classes (default: all).", flag_values=flags)
    text = "Use each class's own ranking, not the one of all samples."
    DEFINE_bool("per_class", True, text, flag_values=flags)
    text = "How many corner cases are shown per class."
    DEFINE_integer("top", 10, text, 1, MOST_SHOWN, flag_values=flags)
    text = "How many dimensions are searched for them, at least --joint_dims."
    DEFINE_integer("search", 40, text, 1, MOST, flag_values=flags)
    text = "Largest shift tried, in standard deviations."
    DEFINE_float("limit", 20.0, text, 0.1, MOST_DEVIATIONS, flag_values=flags)
    text = "Steps up to the limit that bracket a corner case."
    DEFINE_integer("grid", 24, text, 1, MOST_SHOWN, flag_values=flags)
    text = "How many top dimensions move jointly."
    DEFINE_integer("joint_dims", 10, text, 1, MOST, flag_values=flags)
    text = "Random directions that a joint corner case is compared to."
    DEFINE_integer("draws", 32, text, 1, MOST_SHOWN, flag_values=flags)


def plan(flags: FlagValues) -> Task:
    subject = models.subject_from(flags)
    source = rankings.ranking_from(flags, subject)
    settings = settings_from(corner_cases.Settings, flags)
    styles = starts.styles_from(flags)
    return corner_cases.plan(subject, source, settings, run_from(flags), styles)


if __name__ == "__main__":
    main(__doc__, define, plan)
