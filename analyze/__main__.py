"""What can be asked? `python -m analyze` lists the commands of this folder by question."""

from ganfail_jax.cli.index import print_index

GROUPS = {
    "What breaks a classifier? (Le Coz 2022)": (
        "rank",
        "histograms",
        "embed",
        "shift",
        "corner_cases",
        "accuracy",
        "compare",
        "describe",
        "report",
    ),
    "Which neurons make a generator fail? (Choi 2022)": ("rates", "detect", "heatmaps", "ablate"),
    "Which units draw artifacts? (Tousi 2021)": (
        "label",
        "defects",
        "units",
        "correct",
        "d_values",
    ),
    "Where do the papers meet?": ("links",),
    "How good is a generator, and what is in a file?": (
        "evaluate",
        "table",
        "inspect",
        "convert",
        "benchmark",
    ),
}

if __name__ == "__main__":
    print_index(__file__, GROUPS)
