"""What does an image become along each dimension that breaks the classifier? (Le Coz 2022, fig. 5)

python -m analyze.shift --dataset=mnist_c --start_class=3

With --noise=random the image keeps its own noise while it is moved.
"""

import difflib
from collections.abc import Iterator

import numpy as np
from absl import flags

from analyze import entry
from analyze import flags as common
from ganfail_jax import plots
from ganfail_jax.analysis import crossing, shift, starts
from ganfail_jax.analysis.outputs import Models
from ganfail_jax.analysis.ranking import Ranking
from ganfail_jax.analysis.views import Views, views_of
from ganfail_jax.errors import InputError
from ganfail_jax.types import dimension_names

FLAGS = flags.FLAGS
common.define_dataset()
common.define_models()
common.define_noise("const", common.ONE_IMAGE)
common.define_ranking()
common.define_run()
common.define_resume()
common.define_batch_size(50)
flags.DEFINE_integer("top", 10, "How many top dimensions are shown.", 1)
flags.DEFINE_list("dims", None, "Dimensions to show instead, such as b0008/conv0[17], by commas.")
flags.DEFINE_enum("group", "all", ("all", "class"), "Ranking of all samples, or of the class.")
flags.DEFINE_string("start_class", None, "Class of the image (default: any).")
flags.DEFINE_integer("start", None, "Index of the sample (default: a confident one).", 0, 2**31 - 1)
flags.DEFINE_list("progress", list(map(str, shift.PROGRESS)), "Fractions of the reference shift.")
flags.DEFINE_float("limit", 20.0, "Largest reference shift tried, in standard deviations.", 0.1)
flags.DEFINE_integer("grid", 24, "Steps up to the limit that bracket the reference shift.", 1)


def fractions() -> list[float]:
    """--progress as numbers.

    Raises:
        InputError: it holds something else.
    """
    try:
        found = [float(text) for text in FLAGS.progress]
    except ValueError:
        found = []
    if not found or not all(0 <= x < np.inf for x in found):
        raise InputError(f"--progress takes numbers from 0 on, not {','.join(FLAGS.progress)!r}")
    return found


def chosen_dims(models: Models) -> list[int] | None:
    """--dims by their places in S.

    Raises:
        InputError: S has no such dimension.
    """
    if FLAGS.dims is None:
        return None
    names = dimension_names(models.generator.style_dims)
    for name in FLAGS.dims or [""]:
        if name not in names:
            near = ", ".join(difflib.get_close_matches(name, names, n=3) or names[:3])
            raise InputError(f"no dimension {name!r}; the nearest names are {near}")
    return [names.index(name) for name in FLAGS.dims]


def shown(models: Models, ranking: Ranking, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The group of the ranking [n] and the dimensions [n, d] shown for starts of classes [n]."""
    groups = 0 * target if FLAGS.group == "all" else 1 + target
    given = chosen_dims(models)
    if given is None:
        return groups, ranking.order[groups, : FLAGS.top]
    return groups, np.tile(given, (len(target), 1))


def given_start(views: Views) -> starts.Starts:
    """The sample of --start.

    Raises:
        InputError: it is not classified as its class from the beginning.
    """
    found = starts.at_samples(views, np.asarray([FLAGS.start]), truncation_psi=FLAGS.truncation_psi)
    if found.softmax[0] <= crossing.LEVEL:
        names = views.models.classifier.class_names
        raise InputError(
            f"sample {FLAGS.start} is a {names[found.target[0]]} with a softmax of "
            f"{found.softmax[0]:.2f} already, at most {crossing.LEVEL:g}; choose another --start"
        )
    return found


def confident_start(views: Views, ranking: Ranking) -> tuple[starts.Starts, str]:
    """The first confident sample of --start_class; of any class, the most affected of the firsts.

    With it comes how it was chosen.

    Raises:
        InputError: there is none.
    """
    names = views.models.classifier.class_names
    asked = FLAGS.start_class
    classes = range(len(names)) if asked is None else [common.class_index(asked, views.models)]
    first_index = int(ranking.num_samples[0])  # fresh ones
    found = starts.confident_samples(
        views,
        classes,
        first_index=first_index,
        truncation_psi=FLAGS.truncation_psi,
    )
    found = found.take(found.softmax > crossing.LEVEL)
    if not len(found.target):
        what = "its class" if asked is None else asked
        raise InputError(
            f"no sample from {first_index} on is classified as {what}; choose one by --start"
        )
    if asked is not None:
        return found, "the first of its class that the classifier is sure of"
    groups, dims = shown(views.models, ranking, found.target)
    most = starts.most_affected(views, ranking, found, dims, groups)
    return most, (
        f"the most affected of {len(found.target)}, the first of each class that the classifier is "
        "sure of"
    )


def check(models: tuple[Models, ...]) -> None:
    fractions()
    chosen_dims(models[0])
    if FLAGS.start_class is not None:
        common.class_index(FLAGS.start_class, models[0])
        if FLAGS.start is not None:
            raise InputError("give --start or --start_class, not both")
    if FLAGS.start is not None:
        given_start(views_of(models[0], 1, FLAGS.seed))


def compute(run: entry.Run) -> tuple[entry.Summary, entry.Arrays]:
    """The grid of one start.

    Raises:
        InputError: there is no start, or the ranking has no sample of its class.
    """
    (models,), (ranking,) = run.models, run.rankings
    views = views_of(models, FLAGS.batch_size, FLAGS.seed)
    if FLAGS.start is None:
        start, chosen = confident_start(views, ranking)
    else:
        start, chosen = given_start(views), "given"
    (group,), (dims,) = shown(models, ranking, start.target)
    if not ranking.num_samples[group]:
        raise InputError(
            f"the ranking has no sample of class {ranking.groups[group]}; "
            "give --group=all or more --ranking_samples"
        )
    grid = shift.shift_grid(
        views,
        ranking,
        start,
        dims,
        group=int(group),
        progress=fractions(),
        limit=FLAGS.limit,
        grid=FLAGS.grid,
    )
    about = {
        "names": np.asarray(ranking.names)[dims],
        "class_names": models.classifier.class_names,
        "true_class": start.target[0],
        "sample": start.samples[0],
        "chosen": chosen,
        "start_style": start.styles[0],
        "group": ranking.groups[group],
        "limit": FLAGS.limit,
        "conditional": models.generator.num_classes > 0,
    }
    content = shift.summary(grid, start, ranking, group=int(group), limit=FLAGS.limit)
    return content | {"start_chosen": chosen}, grid._asdict() | about


def describe(content: entry.Summary) -> Iterator[str]:
    start, columns, limit = content["start"], content["dimensions"], content["limit_std"]
    reached = sum(column["reaches_0.50"] for column in columns)
    yield (
        f"from sample {start['sample']} ({content['start_chosen']}), class {start['class']} with "
        f"softmax {start['softmax']:.3f}: {reached} of {len(columns)} dimensions reach 0.50 within "
        f"{limit:g} standard deviations"
    )
    for column in columns:
        sign = "+" if column["degrading_direction"] > 0 else "-"
        size = f"{column['reference_shift_std']:6.2f} std = {column['reference_shift_raw']:.2f}"
        what = size if column["reaches_0.50"] else f"0.50 not reached within {limit:g} std"
        yield f"  {column['dimension']:<18} {sign}  {what}"


def main() -> None:
    own = ("top", "dims", "group", "start_class", "start", "progress", "limit", "grid")
    entry.analyse(
        entry.Analysis(
            name="shift",
            question="shifting one image along the dimensions that break a classifier",
            settings=own,
            compute=compute,
            draw=plots.shift.draw,
            describe=describe,
            check=check,
            ranked=True,
        )
    )


if __name__ == "__main__":
    common.run(main)
