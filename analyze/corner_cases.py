"""Which smallest degradations turn an image of each class over? (Le Coz 2022, sec. 3.4, fig. 7)

python -m analyze.corner_cases --dataset=mnist_c
"""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from analyze import entry
from analyze import flags as common
from ganfail_jax import results
from ganfail_jax.analysis import crossing, starts
from ganfail_jax.analysis.corner_cases import CornerCases, corner_cases
from ganfail_jax.analysis.joint import JointMoves, smallest_moves
from ganfail_jax.analysis.outputs import Models
from ganfail_jax.analysis.ranking import Ranking
from ganfail_jax.errors import InputError
from ganfail_jax.plots import corner_cases as plots

FLAGS = flags.FLAGS
common.define_dataset()
common.define_models()
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
flags.DEFINE_integer("search", 40, "How many dimensions are searched for them.", 1)
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
            arrays = list(dict(loaded).values()) if path.suffix == ".npz" else [loaded]
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
    """--classes by their indices."""
    if FLAGS.classes is None:
        return list(range(models.classifier.num_classes))
    return [common.class_index(name, models) for name in dict.fromkeys(FLAGS.classes)]


def find_starts(views: crossing.Probe, ranking: Ranking) -> starts.Starts:
    """The points that --start and --classes ask for."""
    models, classes = views.models, chosen_classes(views.models)
    styles = read_styles(models)
    if styles is not None:
        if len(styles) == 1:
            return starts.at_styles(views, styles)
        return starts.at_styles(views, styles[classes], np.asarray(classes))
    if FLAGS.start == "mean":
        return starts.class_means(views, ranking, classes)
    return starts.confident_samples(
        views,
        classes,
        first_index=int(FLAGS.start),
        seed=FLAGS.seed,
        truncation_psi=FLAGS.truncation_psi,
    )


def check(models: tuple[Models, ...]) -> dict[str, str]:
    chosen_classes(models[0])
    styles = read_styles(models[0])
    return {} if styles is None else {"start_sha256": sha256(styles.tobytes()).hexdigest()}


def compute(run: entry.Run) -> tuple[entry.Summary, entry.Arrays]:
    (models,), (ranking,) = run.models, run.rankings
    views = crossing.probe(models, FLAGS.batch_size)
    every = find_starts(views, ranking)
    begun = every.take(every.softmax > crossing.LEVEL)
    if not len(begun.target):
        raise InputError("no start is classified as its class; choose another --start")
    print(f"searching {FLAGS.search} dimensions of {len(begun.target)} classes", flush=True)
    reach = {"limit": FLAGS.limit, "grid": FLAGS.grid}
    cases = corner_cases(
        views,
        ranking,
        begun,
        searched=FLAGS.search,
        top=FLAGS.top,
        per_class=FLAGS.per_class,
        **reach,
    )
    print(f"searching the smallest joint move over {FLAGS.joint_dims} dimensions", flush=True)
    groups = 1 + begun.target if FLAGS.per_class else 0 * begun.target
    dims = ranking.order[groups, : FLAGS.joint_dims]
    single = np.full(dims.shape, np.nan)
    known = min(dims.shape[1], cases.dims.shape[1])
    single[:, :known] = (cases.shift * cases.direction)[:, :known]
    joint = smallest_moves(
        views,
        begun,
        dims,
        ranking.style_std,
        single,
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
    arrays = about | cases._asdict() | {f"joint_{k}": a for k, a in joint._asdict().items()}
    return summarize(ranking, every, begun, cases, joint), arrays


def corner_case(ranking: Ranking, cases: CornerCases, row: int, column: int) -> dict[str, Any]:
    classes = ranking.groups[1:]
    return {
        "dimension": ranking.names[cases.dims[row, column]],
        "index": int(cases.dims[row, column]),
        "rank": int(column) + 1,
        "degrading_direction": int(cases.direction[row, column]),
        "shift_std": float(cases.shift[row, column]),
        "shift_raw": float(cases.raw[row, column]),
        "softmax": float(cases.softmax[row, column]),
        "softmax_1%_below": float(cases.below[row, column]),
        "softmax_1%_above": float(cases.above[row, column]),
        "instead": classes[cases.instead[row, column]],
        "predicted_1%_above": classes[cases.predicted_above[row, column]],
    }


def joint_case(ranking: Ranking, joint: JointMoves, row: int) -> dict[str, Any]:
    found = np.isfinite(joint.length[row])
    random = np.nan_to_num(joint.random[row], nan=np.inf)
    moves = zip(joint.dims[row], joint.delta[row], strict=True)
    # an order statistic, not a mean of two: a direction without an effect is infinitely long
    quartiles = np.quantile(random, [0.25, 0.5, 0.75], method="higher")
    return {
        "length_std": float(joint.length[row]),
        "best_single_std": float(joint.single[row]),
        "random_quartiles_std": [float(q) for q in quartiles],
        "random_share_that_flips": float(np.isfinite(random).mean()),
        "softmax": float(joint.softmax[row]),
        "instead": ranking.groups[1 + joint.instead[row]] if found else None,
        "delta_std": {ranking.names[d]: float(x) for d, x in moves} if found else None,
    }


def summarize(
    ranking: Ranking,
    every: starts.Starts,
    begun: starts.Starts,
    cases: CornerCases,
    joint: JointMoves,
) -> dict[str, Any]:
    """The content of result.json."""
    names = ranking.groups[1:]
    classes = {}
    for row, target in enumerate(begun.target):
        without = np.flatnonzero(~(cases.shift[row] > 0))
        classes[names[target]] = {
            "sample": int(begun.samples[row]) if begun.samples[row] >= 0 else None,
            "start_softmax": float(begun.softmax[row]),
            "corner_cases": [
                corner_case(ranking, cases, row, column)
                for column in cases.shown[row]
                if column >= 0
            ],
            "dimensions_with_effect": int(cases.dims.shape[1] - len(without)),
            "without_effect": [ranking.names[d] for d in cases.dims[row, without]],
            "joint": joint_case(ranking, joint, row),
        }
    found = cases.shift > 0
    same = found & (cases.predicted_above == begun.target[:, None])
    missed = np.flatnonzero(every.softmax <= crossing.LEVEL)
    return {
        "classes": classes,
        "range_std": FLAGS.limit,
        "dimensions_searched": int(cases.dims.shape[1]),
        "joint_dimensions": int(joint.dims.shape[1]),
        "random_directions": int(joint.random.shape[1]),
        "crossings": int(found.sum()),
        "crossings_with_unchanged_prediction_1%_above": int(same.sum()),
        "classes_without_a_start": sorted({*names} - {names[t] for t in every.target})
        if FLAGS.classes is None
        else [name for name in FLAGS.classes if name not in {names[t] for t in every.target}],
        "starts_not_classified_as_their_class": {
            names[every.target[i]]: {
                "softmax": float(every.softmax[i]),
                "predicted": names[every.predicted[i]],
            }
            for i in missed
        },
    }


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
            f"{content['dimensions_searched']} dimensions have an effect"
        )
        for case in found["corner_cases"][:3]:
            sign = "+" if case["degrading_direction"] > 0 else "-"
            yield (
                f"  {case['dimension']:<18} {sign}  {case['shift_std']:5.2f} std = "
                f"{case['shift_raw']:.2f} raw → {case['instead']}"
            )
        if found["without_effect"]:
            yield f"  skipped, no effect: {', '.join(found['without_effect'][:4])}, ..."
        joint = found["joint"]
        length, single, median = (
            "none" if x is None else f"{x:.2f}"
            for x in (
                joint["length_std"],
                joint["best_single_std"],
                joint["random_quartiles_std"][1],
            )
        )
        yield (
            f"  jointly over {k}: length {length} std → {joint['instead']}; best single {single}; "
            f"random median {median}, {joint['random_share_that_flips']:.0%} flip"
        )


def draw(folder: Path, arrays: entry.Arrays, who: str) -> tuple[str, ...]:
    plots.sheet(folder / "corner_cases.png", arrays, who)
    plots.lengths(folder / "joint.png", arrays, who)
    return "corner_cases.png", "joint.png"


def main() -> None:
    own = ("start", "classes", "per_class", "top", "search", "limit", "grid", "joint_dims", "draws")
    entry.analyse(
        entry.Analysis(
            name="corner_cases",
            question="searching the smallest degradations that turn an image over",
            settings=own,
            compute=compute,
            draw=draw,
            describe=describe,
            check=check,
            ranked=True,
        )
    )


if __name__ == "__main__":
    common.run(main)
