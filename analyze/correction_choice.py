"""Which corrections of which units are asked for? Flags, and what they choose."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from absl import flags

from analyze import artifacts
from analyze.unit_fid import UnitFid, read_unit_fid
from ganfail_jax.analysis.correction import SHARE, STOP, STRENGTH, layers_to
from ganfail_jax.analysis.correction_effect import Looker
from ganfail_jax.analysis.correction_methods import METHODS, Method, Setting, looker
from ganfail_jax.analysis.defects import normalize
from ganfail_jax.errors import InputError

FLAGS = flags.FLAGS
AUTOMATIC = [name for name in METHODS if name != "manual"]
NO_FID = "the method fid is left out; --unit_fid=FOLDER of analyze.units has what it needs"


class Choice(NamedTuple):
    """The units and their scores that corrections go by."""

    case: artifacts.Case
    layers: list[str]  # all that may be corrected, in forward order
    defects: artifacts.DefectChoice
    unit_fid: UnitFid | None
    per_sample: bool  # whether the scores are each sample's own

    @property
    def identity(self) -> dict[str, Any]:
        """What identifies the corrections in a result, but for the methods and their settings."""
        return {
            **self.case.identity,
            "defects": dict(self.defects.identity),
            "per_sample": self.per_sample,
            "unit_fid": None if self.unit_fid is None else self.unit_fid.identity,
            "strength": FLAGS.strength,
            "seed_of_random_units": FLAGS.seed,
        }

    def setting(
        self,
        found: artifacts.Found,
        stop: str,
        number: Callable[[int], int],
        manual: Sequence[int] = (),
    ) -> Setting:
        """What the methods need to know.

        Args:
            stop: the stopping layer, in full.
            number: how many units of so many are corrected.
        """
        all_layers = self.case.models.generator.layers
        layers = {name: all_layers[name] for name in layers_to(all_layers, stop)}
        scores = {} if self.per_sample else {k: normalize(found.scores[k]) for k in layers}
        return Setting(
            layers=layers,
            numbers={name: number(info.channels) for name, info in layers.items()},
            scores=scores,
            unit_fid={} if self.unit_fid is None else self.unit_fid.fid,
            manual=manual,
            strength=FLAGS.strength,
            seed=FLAGS.seed,
        )

    def looker(self, found: artifacts.Found) -> Looker:
        """Sample indices -> Look."""
        case, made = self.case, self.defects.identity
        look = looker(case.models, case.artifact, case.seed, made["mask_threshold"], made["order"])
        return partial(look, case.models.params, found.thresholds if self.per_sample else {})


def define() -> None:
    """Beside --dataset, --generator, --batch_size and --seed."""
    artifacts.define()
    text = "Folder of analyze.units with the FID of every unit, which the method fid goes by."
    flags.DEFINE_string("unit_fid", None, text)
    flags.DEFINE_float("strength", STRENGTH, "lambda: sequential scales by lambda (1 - DS).", 0, 1)
    text = "DS over all artifacts, or of each sample itself (default of StyleGAN2: sec. 5.4)."
    flags.DEFINE_enum("scores", None, ["global", "sample"], text)


def define_methods() -> None:
    text = "Corrections, by commas (default: all that can be had)."
    flags.DEFINE_list("methods", None, f"{text} They are {', '.join(AUTOMATIC)}.")


def define_stop() -> None:
    text = "The layer l, by any of its names: the last one corrected, or the only one."
    flags.DEFINE_string("stop", STOP, text)


def define_share() -> None:
    text = "n: the share of a layer's units that is corrected."
    flags.DEFINE_float("share", SHARE, text, 0, 1)


def given_methods() -> dict[str, Method]:
    """--methods; without --unit_fid, fid only if it is asked for.

    Raises:
        InputError: one is unknown or lacks what it needs, or there is none.
    """
    if FLAGS.methods == []:
        raise InputError("--methods is empty; give some, or leave it out for all")
    for name in FLAGS.methods or ():
        if name not in AUTOMATIC:
            raise InputError(f"no correction {name!r}; they are {', '.join(AUTOMATIC)}")
    asked = FLAGS.methods or [name for name in AUTOMATIC if name != "fid" or FLAGS.unit_fid]
    if "fid" in asked and FLAGS.unit_fid is None:
        raise InputError("the method fid needs --unit_fid=FOLDER of analyze.units")
    if "fid" not in asked and FLAGS.methods is None:
        print(NO_FID)
    return {name: METHODS[name] for name in asked}


def chosen(case: artifacts.Case, layers: list[str], single: str) -> Choice:
    """By the flags.

    Args:
        layers: all that may be corrected.
        single: the one that is corrected alone.

    Raises:
        InputError: --defects or --unit_fid does not fit.
    """
    unit_fid = None
    if FLAGS.unit_fid is not None:
        sha256 = case.identity["generator_sha256"]
        unit_fid = read_unit_fid(FLAGS.unit_fid, sha256, [single])
    has_w = case.models.generator.mapping is not None  # StyleGAN2, whose units differ by sample
    per_sample = has_w if FLAGS.scores is None else FLAGS.scores == "sample"
    defects = artifacts.choose_defects(case, layers, scored=not per_sample)
    return Choice(case, layers, defects, unit_fid, per_sample)
