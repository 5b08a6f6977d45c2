"""A generator's state dict is found wherever torch users put it."""

from collections import OrderedDict

import numpy as np
import pytest

from ganfail_jax.weights import importers, torch_files
from ganfail_jax.weights.averages import AVERAGED
from ganfail_jax.weights.errors import WeightsError
from tests.goldens import FOLDER, load
from tests.weights.test_rosinality import from_nvidia
from tests.weights.torch_saved import save

GENFORCE = ("genforce_stylegan2_rgb64", "genforce_pggan_rgb64")
ROSINALITY = "stylegan2_ada_uncond_rgb64"


def state_dict(name):
    state, _ = load(name)
    return OrderedDict(from_nvidia(state) if name == ROSINALITY else state)


def other(state):
    return {name: np.asarray(array + 1) for name, array in state.items()}


PLACES = {
    "bare": lambda state: state,
    "of parallel training": lambda state: {f"module.{n}": array for n, array in state.items()},
    "state_dict": lambda state: {"state_dict": state, "epoch": 3},
    "single wrapper": lambda state: {"anything": state},
    "two wrappers": lambda state: {"model": {"state_dict": state}, "epoch": 3},
    "trainer": lambda state: {"models": {"generator": other(state), "generator_smooth": state}},
    "averaged": lambda state: {"g": other(state), "generator": {}, "g_ema": state, "d": "text"},
    "averaged beside generator": lambda state: {"generator": other(state), "g_ema": state},
    **{
        f"called {name}": lambda state, name=name: {"g": other(state), name: state}
        for name in AVERAGED
    },
    "name of something else": lambda state: {"generator": "stylegan2", "g": state},
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", [*GENFORCE, ROSINALITY])
def test_the_same_arrays_are_found_everywhere(name, place, tmp_path):
    path = tmp_path / "file.pth"
    path.write_bytes(save(PLACES[place](state_dict(name))))
    found = importers.read(path)
    if name in GENFORCE:
        wanted = importers.read(FOLDER / f"{name}.pth")
    else:
        whole = tmp_path / "whole.pt"
        whole.write_bytes(save({"g_ema": state_dict(name)}))
        wanted = importers.read(whole)
    assert found.config == wanted.config
    assert found.about["format"] == wanted.about["format"]
    assert found.arrays.keys() == wanted.arrays.keys()
    for variable, array in wanted.arrays.items():
        np.testing.assert_array_equal(found.arrays[variable], array)


NOT_AVERAGED = ", which is not called an average; in the file: "
CHOICES = [  # what is in a file, and what is said of the choice
    ({"g": "state", "d": "state", "g_ema": None}, f"network g{NOT_AVERAGED}d, g"),
    ({"g": "state", "mean": "other", "step": 3}, f"network g{NOT_AVERAGED}g, mean"),
    ({"g": "state", "g_optim": {"state": {}}}, f"network g{NOT_AVERAGED}g"),
    (
        {"models": {"generator": "state"}, "x": "other"},
        f"generator{NOT_AVERAGED}generator, x",
    ),
    ({"net": "state"}, f"network net{NOT_AVERAGED}net"),
    ({"net": {"model": "state"}}, f"network net{NOT_AVERAGED}model"),
    ({"model": "other", "state_dict": "state"}, f"state_dict{NOT_AVERAGED}model, state_dict"),
    ({"g_ema": "state", "g_ema_best": "other"}, "network g_ema; in the file: g_ema, g_ema_best"),
    ({"g": "other", "d_ema": "other", "g_ema": "state"}, None),
    ({"g_ema": "state"}, None),
    ({"model": {"state_dict": "state"}, "step": 3}, None),
    ("state", None),
]


@pytest.mark.parametrize(("content", "remark"), CHOICES)
def test_the_choice_is_told_where_no_single_average_is(content, remark, tmp_path):
    state = state_dict(GENFORCE[1])

    def fill(value):
        if isinstance(value, dict):
            return {name: fill(inner) for name, inner in value.items()}
        return {"state": state, "other": other(state)}.get(value, value)

    path = tmp_path / "file.pth"
    path.write_bytes(save(fill(content)))
    found, wanted = importers.read(path), importers.read(FOLDER / f"{GENFORCE[1]}.pth")
    for variable, array in wanted.arrays.items():
        np.testing.assert_array_equal(found.arrays[variable], array)
    assert "remarks" not in wanted.about
    assert (found.about.get("remarks") or "").endswith(remark or "")
    assert ("remarks" in found.about) == (remark is not None)


def test_names_of_networks_are_printable_in_remarks(tmp_path):
    path = tmp_path / "file.pth"
    path.write_bytes(save({"net\n\x1b[31m" + 200 * "x": state_dict(GENFORCE[1])}))
    remark = importers.read(path).about["remarks"]
    assert remark.startswith("network net \\x1b[31mxx")
    assert remark.isprintable()
    assert len(remark) <= 500


NUMBER = np.ones(1, np.float32)
BAD = [
    ({}, "g_ema_best, generator or g in it, nor is it a state dict"),
    ({"a": {"b": {"c": {"d": {"e": NUMBER}}}}}, "there is no generator_smooth"),
    ({"a": {"x": NUMBER}, "b": {"x": NUMBER}}, "there is no generator_smooth"),
    ([NUMBER], "there is no generator_smooth"),
    ({"fc.weight": NUMBER}, "unexpected fc.weight: not of genforce's"),
    ({"fc.weight": NUMBER, "epoch": 3}, "there is no generator_smooth"),
    ({"g": {"fc.weight": NUMBER, "epoch": 3}}, "epoch is no tensor"),
    ({"lod": NUMBER, "module.lod": NUMBER}, "names with and without the prefix module."),
]


@pytest.mark.parametrize(("value", "message"), BAD)
def test_a_file_without_a_generator_is_refused(value, message, tmp_path):
    path = tmp_path / "file.pth"
    path.write_bytes(save(value))
    with pytest.raises(WeightsError) as refused:
        importers.read(path)
    assert message in str(refused.value)


def test_more_tensors_than_any_network_has_are_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(torch_files, "MOST_TENSORS", 3)
    path = tmp_path / "file.pth"
    for count, message in ((3, "unexpected t0"), (4, "more than 3 tensors")):
        path.write_bytes(save({f"t{n}": NUMBER for n in range(count)}))
        with pytest.raises(WeightsError, match=message):
            importers.read(path)
