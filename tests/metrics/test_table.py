"""A table says in CSV and Markdown what was measured, and is restored from its summary."""

import csv
import io
import json

from ganfail_jax.metrics.measurement import Measurement
from ganfail_jax.metrics.table import Cell, restore, to_csv, to_markdown


def measured(value, interval=(1.0, 3.5), warnings=()):
    sizes = {"real": 10_000, "generated": 2000}
    how = "over both sets"
    return Measurement("FID", "made-up features", value, sizes, "N", interval, how, warnings)


CELLS = [
    Cell("none", "first, alone", measured(2.25)),
    Cell("none", "both", measured(2.0, None, ("the covariance is singular",))),
    Cell("LR", "first, alone", measured(3.125)),
]


def test_csv_has_a_line_per_cell_with_all_of_it():
    first, second, _ = csv.DictReader(io.StringIO(to_csv(CELLS)))
    assert (first["row"], first["column"], first["metric"]) == ("none", "first, alone", "FID")
    assert (first["value"], first["low"], first["high"]) == ("2.25", "1.0", "3.5")
    assert first["samples"] == "10000 real; 2000 generated"
    assert (first["features"], first["convention"]) == ("made-up features", "N")
    assert first["interval"] == "over both sets"
    assert (second["low"], second["high"]) == ("", "")


def test_markdown_is_a_grid_with_what_is_shared_below_it():
    lines = to_markdown(CELLS, "ablated").splitlines()
    assert lines[0] == "| ablated | first, alone | both |"
    assert lines[1] == "|---|---|---|"
    assert lines[2] == "| none | 2.25 [1, 3.5] | 2 |"
    assert lines[3] == "| LR | 3.125 [1, 3.5] |  |"
    shared = "FID on made-up features: 10,000 real, 2,000 generated; N"
    assert lines[5:7] == [shared, f"{shared}; 95 % interval over both sets"]
    assert lines[7:] == ["the covariance is singular"]


def test_cells_come_back_from_json():
    kept = json.loads(json.dumps([cell.summary() for cell in CELLS]))
    assert to_csv([restore(each) for each in kept]) == to_csv(CELLS)
