"""Which correction repairs artifacts and leaves normal images as they are? (Tousi 2021, sec. 4, 5)

    python -m analyze.correct --generator=FOLDER --artifact_classifier=FOLDER

Labelled samples that the artifact classifier was not trained on are generated with and without the
units that draw artifacts: its probability of an artifact before and after, how much the images
change, and sheets of before and after (fig. 13, 14). --units adds units chosen by hand (fig. 9).
"""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from analyze import artifacts, correction_choice, entry
from analyze import flags as common
from ganfail_jax import plots, results
from ganfail_jax.analysis.correction import given_units, layers_to, number_of_units
from ganfail_jax.analysis.correction_effect import Views, effect, looked_at, summary, viewer
from ganfail_jax.analysis.correction_methods import METHODS
from ganfail_jax.errors import InputError
from ganfail_jax.images import to_uint8

FLAGS = flags.FLAGS
common.define_dataset()
common.define_generator()
common.define_noise("const", common.LABELLED)
common.define_batch_size(25)
common.define_run()
common.define_resume()
correction_choice.define()
correction_choice.define_methods()
correction_choice.define_stop()
correction_choice.define_share()
flags.DEFINE_list("units", None, "Units of the layer --stop to set to zero, as the method manual.")
common.define_indices("held-out ones")
flags.DEFINE_integer("shown", 6, "Held-out artifacts, and as many normals, that are drawn.", 1)


def manual_units(size: int) -> list[int]:
    """--units, of a layer of `size`.

    Raises:
        InputError: one is no unit, or there is none.
    """
    units = common.whole_numbers("units", "units count from 0") or []
    given_units(units, size)
    return units


def main() -> None:
    print("correcting artifacts", flush=True)
    methods, given = correction_choice.given_methods(), common.given_indices()
    case = artifacts.chosen()
    layers = layers_to(case.models.generator.layers, FLAGS.stop)
    manual = manual_units(case.models.generator.layers[layers[-1]].channels)
    if manual:
        methods["manual"] = METHODS["manual"]
    held_out = {"artifacts": case.held_out.artifacts, "normals": case.held_out.normals}
    for kind, indices in held_out.items():
        if not len(indices):
            raise InputError(f"{FLAGS.artifact_classifier} has no held-out {kind} to measure on")
    sheets = {f"held-out {kind}": some[: FLAGS.shown] for kind, some in held_out.items()}
    if given is not None:
        sheets = {"samples": np.asarray(given)}
    choice = correction_choice.chosen(case, layers, layers[-1])

    def compute(folder: Path) -> tuple[entry.Summary, entry.Arrays]:
        found, number = choice.defects.find(folder), partial(number_of_units, FLAGS.share)
        setting = choice.setting(found, layers[-1], number, manual)
        look = choice.looker(found)
        view = viewer(case.models, case.artifact, look, methods, setting, case.seed)
        rows, rng = ["none", *methods], np.random.default_rng(FLAGS.seed)
        told, arrays = {}, {"rows": rows, "sheets": list(sheets)}
        for kind, indices in held_out.items():
            measured = effect(view, indices, FLAGS.batch_size, f"held-out {kind}")
            told[kind] = dict(zip(rows, summary(measured, rng), strict=True))
            own = {"indices": indices, **measured._asdict()}
            arrays |= {f"{kind}/{name}": each for name, each in own.items()}
        for kind, indices in sheets.items():
            seen = list(looked_at(view, indices, FLAGS.batch_size, f"drawing {kind}"))
            drawn = Views(*(np.concatenate(each, axis=1) for each in zip(*seen, strict=True)))
            own = {"indices": indices, **drawn._asdict(), "images": to_uint8(drawn.images)}
            arrays |= {f"{kind}/{name}": each for name, each in own.items()}
        sizes = {kind: len(indices) for kind, indices in held_out.items()}
        return {"layers": layers, "samples": sizes, "methods": told}, arrays

    who = f"generator {case.identity['generator']}"
    how = f"{FLAGS.share:.0%} of the units, to layer {layers[-1]}"

    def draw(folder: Path, arrays: entry.Arrays) -> list[str]:
        told = results.load(folder).summary
        names = ["effects.png"]
        title = f"{who}: {how}"
        plots.correction.draw_effects(folder / names[0], told["methods"], told["samples"], title)
        for kind in map(str, arrays["sheets"]):
            names.append(f"{kind.replace(' ', '-')}.png")
            own = {k.removeprefix(f"{kind}/"): x for k, x in arrays.items() if k.startswith(kind)}
            own["rows"] = arrays["rows"]
            plots.correction.draw_sheet(folder / names[-1], own, f"{kind} of {title}")
        return names

    settings = {name: FLAGS[name].value for name in ("share", "indices", "shown")}
    settings |= {"methods": list(methods), "stop": layers[-1], "units": manual}
    entry.conclude(
        common.out_folder("correct", case.identity["generator"], str(case.seed)),
        choice.identity | settings,
        who,
        compute,
        draw,
        describe,
    )


def describe(summary: entry.Summary) -> Iterator[str]:
    def within(told: Mapping[str, Any], form: str) -> str:
        low, high = told["interval95"]
        return f"{told['value']:{form}} [{low:{form}}, {high:{form}}]"

    yield f"corrected layers {', '.join(summary['layers'])}; brackets: 95 %"
    for kind, methods in summary["methods"].items():
        yield f"{summary['samples'][kind]:,} held-out {kind}: probability of an artifact"
        for name, told in methods.items():
            line = f"  {name:<10} {within(told['probability'], '.3f')}"
            line += f", called an artifact {within(told['called'], '.1%')}"
            if name != "none":
                line += f", difference {within(told['difference'], '+.3f')}"
                line += f", change of a pixel {told['change']['value']:.1f} of 255"
            yield line


if __name__ == "__main__":
    common.run(main)
