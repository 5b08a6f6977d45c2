"""Which smallest degradations turn an image of each class over? (Le Coz 2022, sec. 3.4, fig. 7)

python -m analyze.corner_cases --dataset=mnist_c

With --noise=random a start keeps its noise while it is moved: a sample its own, any other that of
sample 0.
"""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import numpy as np
from absl import flags

from analyze import entry
from analyze import flags as common
from ganfail_jax import plots, results
from ganfail_jax.analysis import corner_cases, crossing, joint, starts
from ganfail_jax.analysis.outputs import Models
from ganfail_jax.analysis.ranking import Ranking
from ganfail_jax.analysis.views import Views, views_of
from ganfail_jax.errors import InputError

LARGEST_INDEX = 2**31 - 1  # of a sample

FLAGS = flags.FLAGS
common.define_dataset()
common.define_models()
common.define_noise("const", common.ONE_IMAGE)
common.define_ranking()
common.define_run()
common.define_resume()
common.define_batch_size(50)
flags.DEFINE_string(
    "start",
    "mean",
    "mean: of each class; a number: the first confident sample of each class from this index on; "
    "a file: a style [s] or one per class [k,s], as .npy, or .npz of one array.",
)
flags.DEFINE_list("classes", None, "Names of the classes (default: all).")
flags.DEFINE_bool("per_class", True, "Dimensions by their influence on the class, not on all.")
flags.DEFINE_integer("top", 10, "How many corner cases are shown per class.", 1)
flags.DEFINE_integer(
    "search", 40, "How many dimensions are searched for them, at least --joint_dims.", 1
)
flags.DEFINE_float("limit", 20.0, "Largest shift tried, in standard deviations.", 0.1)
flags.DEFINE_integer("grid", 24, "Steps up to the limit that bracket a corner case.", 1)
flags.DEFINE_integer("joint_dims", 10, "How many top dimensions move jointly.", 1)
flags.DEFINE_integer("draws", 32, "Random directions that a joint corner case is compared to.", 1)


def read_styles(models: Models) -> np.ndarray | None:
    """The styles of the file --start, if it is one: [1, s], or [k, s] for the k classes.

    Raises:
        InputError: there is no such file, or it holds something else.
    """
    if FLAGS.start == "mean" or FLAGS.start.isdecimal():
        return None
    path = Path(FLAGS.start)
    if path.suffix not in (".npy", ".npz"):
        raise InputError(f"--start={path} is neither mean, nor a number, nor a .npy or .npz file")
    try:
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            arrays = [loaded] if isinstance(loaded, np.ndarray) else [*dict(loaded).values()]
    except results.DAMAGE as error:
        raise InputError(f"cannot read styles from {path}: {error}") from error
    s, k = sum(models.generator.style_dims.values()), models.classifier.num_classes
    shapes = [array.shape for array in arrays]
    if len(arrays) != 1 or shapes[0] not in ((s,), (1, s), (k, s)):
        raise InputError(
            f"{path} holds {' and '.join(map(str, shapes))}; a style is ({s},), one for each "
            f"class ({k}, {s})"
        )
    (styles,) = arrays
    if not np.issubdtype(styles.dtype, np.number) or not np.isfinite(styles).all():
        raise InputError(f"{path} holds something else than finite numbers")
    return styles.astype(np.float32).reshape(-1, s)


def start_name() -> str:
    """What the starts are, for the figure."""
    if FLAGS.start == "mean":
        return "its mean style"
    if FLAGS.start.isdecimal():
        return f"a sample from {FLAGS.start} on"
    return f"a style of {Path(FLAGS.start).name}"


def chosen_classes(models: Models) -> list[int]:
    """--classes by their indices.

    Raises:
        InputError: it is empty, or there is no such class.
    """
    if FLAGS.classes is None:
        return list(range(models.classifier.num_classes))
    if not FLAGS.classes:
        raise InputError("--classes is empty; leave it out for all classes")
    return [common.class_index(name, models) for name in dict.fromkeys(FLAGS.classes)]


def find_starts(views: Views, ranking: Ranking) -> tuple[starts.Starts, list[str]]:
    """The points that --start and --classes ask for, and the classes without one.

    Raises:
        InputError: see `read_styles` and `chosen_classes`.
    """
    models, classes = views.models, chosen_classes(views.models)
    styles = read_styles(models)
    if styles is not None and len(styles) == 1:
        return starts.at_styles(views, styles), []  # of the class predicted
    if styles is not None:
        found = starts.at_styles(views, styles[classes], np.asarray(classes))
    elif FLAGS.start == "mean":
        found = starts.class_means(views, ranking, classes)
    else:
        found = starts.confident_samples(
            views,
            classes,
            first_index=int(FLAGS.start),
            truncation_psi=FLAGS.truncation_psi,
        )
    names = models.classifier.class_names
    return found, [names[each] for each in classes if each not in found.target]


def check(models: tuple[Models, ...]) -> dict[str, str]:
    chosen_classes(models[0])
    styles = read_styles(models[0])
    if styles is None:
        last = LARGEST_INDEX - starts.TRIES * models[0].classifier.num_classes
        if FLAGS.start != "mean" and int(FLAGS.start) > last:
            raise InputError(f"--start={FLAGS.start} is beyond the last sample, {last}")
        return {}
    if len(styles) == 1 and FLAGS.classes is not None:
        raise InputError("a single style is of the class predicted: leave --classes out")
    return {"start_sha256": sha256(styles.tobytes()).hexdigest()}


def compute(run: entry.Run) -> tuple[entry.Summary, entry.Arrays]:
    """The corner cases of every class.

    Raises:
        InputError: no start is classified as its class.
    """
    (models,), (ranking,) = run.models, run.rankings
    views = views_of(models, FLAGS.batch_size, FLAGS.seed)
    every, missing = find_starts(views, ranking)
    begun = every.take(every.softmax > crossing.LEVEL)
    if not len(begun.target):
        raise InputError("no start is classified as its class; choose another --start")
    searched = max(FLAGS.search, FLAGS.joint_dims)  # the joint search begins from single ones
    print(f"searching {searched} dimensions of {len(begun.target)} classes", flush=True)
    reach = {"limit": FLAGS.limit, "grid": FLAGS.grid}
    cases = corner_cases.corner_cases(
        views,
        ranking,
        begun,
        searched=searched,
        top=FLAGS.top,
        per_class=FLAGS.per_class,
        **reach,
    )
    print(f"searching the smallest joint move over {FLAGS.joint_dims} dimensions", flush=True)
    moves = joint.joint_moves(
        views,
        ranking,
        begun,
        cases,
        FLAGS.joint_dims,
        draws=FLAGS.draws,
        seed=FLAGS.seed,
        **reach,
    )
    about = {
        "names": ranking.names,
        "class_names": models.classifier.class_names,
        "limit": FLAGS.limit,
        "conditional": models.generator.num_classes > 0,
        "start": start_name(),
        "start_target": begun.target,
        "start_samples": begun.samples,
        "start_styles": begun.styles,
    }
    content = corner_cases.summary(ranking, every, begun, cases)
    for name, move in joint.summary(ranking, begun, moves).items():
        content["classes"][name]["joint"] = move
    content |= {
        "range_std": FLAGS.limit,
        "joint_dimensions": int(moves.dims.shape[1]),
        "random_directions": FLAGS.draws,
        "classes_without_a_start": missing,
    }
    arrays = about | cases._asdict() | {f"joint_{k}": a for k, a in moves._asdict().items()}
    return content, arrays


def describe(content: entry.Summary) -> Iterator[str]:
    limit, k = content["range_std"], content["joint_dimensions"]
    yield (
        f"{content['crossings']} corner cases within {limit:g} standard deviations; in "
        f"{content['crossings_with_unchanged_prediction_1%_above']} of them the true class, though "
        "below 0.50, is still the largest output 1 % further"
    )
    if content["classes_without_a_start"]:
        yield f"no start for class {', '.join(content['classes_without_a_start'])}"
    for name, start in content["starts_not_classified_as_their_class"].items():
        yield (
            f"class {name} is left out: its start has softmax {start['softmax']:.2f}, "
            f"predicted {start['predicted']}"
        )
    for name, found in content["classes"].items():
        yield (
            f"class {name}: {found['dimensions_with_effect']} of "
            f"{content['dimensions_searched']} dimensions reach 0.50 within {limit:g} std"
        )
        for case in found["corner_cases"][:3]:
            sign = "+" if case["degrading_direction"] > 0 else "-"
            yield (
                f"  {case['dimension']:<18} {sign}  {case['shift_std']:5.2f} std = "
                f"{case['shift_raw']:.2f} raw → {case['instead']}"
            )
        if found["without_effect"]:
            yield f"  skipped, not reached: {', '.join(found['without_effect'][:4])}, ..."
        move = found["joint"]
        length, single, median = (
            f"above {limit:g}" if x is None else f"{x:.2f}"
            for x in (
                move["length_std"],
                move["best_single_std"],
                move["random_quartiles_std"][1],
            )
        )
        yield (
            f"  jointly over {k}: length {length} std → {move['instead']}; best single {single}; "
            f"{move['random_share_that_flips']:.0%} of {content['random_directions']} random "
            f"directions reach 0.50, median length {median}"
        )


def main() -> None:
    own = ("start", "classes", "per_class", "top", "search", "limit", "grid", "joint_dims", "draws")
    entry.analyse(
        entry.Analysis(
            name="corner_cases",
            question="searching the smallest degradations that turn an image over",
            settings=own,
            compute=compute,
            draw=plots.corner_cases.draw,
            describe=describe,
            check=check,
            ranked=True,
        )
    )


if __name__ == "__main__":
    common.run(main)
