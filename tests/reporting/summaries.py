"""Summaries of studies as their result.json has them, with numbers that a test chooses."""

from ganfail_jax.statistics.intervals import with_interval


def share(hits, of):
    """A share whose interval does not matter."""
    value = hits / of if of else None
    return {"value": value, "interval95": [0.01, 0.9], "hits": hits, "of": of}


def reliability(classes, *, others=None, real=None, known=True):
    """
    Args:
        classes: name -> (failures, samples).
    """
    hits, of = (sum(counts) for counts in zip(*classes.values(), strict=True))
    return {
        "warnings": [],
        "classifier": "c",
        "classes_known": known,
        "failing_means": "misclassified" if known else "unsure (softmax below 0.9)",
        "failing": share(hits, of),
        "classes": {name: share(*counts) for name, counts in classes.items()},
        "confusions": [],
        "others": others or {},
        "real": None if real is None else {"name": "r", "source": "", "failing": {"c": real}},
    }


def mode(value, low, high, words="noisier by 1.00 sd", broken=0.25):
    return {
        "words": words,
        "softmax_of_true_class": with_interval(value, (low, high)),
        "misclassified_afterwards": broken,
        "classes_gaining": {},
        "dimensions": [
            {
                "dimension": "b0004/conv1[1]",
                "degrading_direction": 1,
                "words": words,
                "softmax_of_true_class": with_interval(value, (low, high)),
            }
        ],
    }


def describe(*modes, words="no simple word"):
    counts = {"well_classified": 90, "misclassified": 10}
    return {
        "misclassified": counts | {"words": words},
        "failure_modes": [*modes],
        "moved": 400,
    }


def rank(overlap=0.9, *, before=0.95, top=0.8, random=0.94, reach=(0.01, 0.01, 0.01)):
    group = {"samples": 1000, "bootstrap_overlap_of_top": overlap, "top": [None] * 10}
    effect = {"num_samples": 500, "dimensions": 10, "before": before, "top": top, "random": random}
    return {"groups": {"all": group}, "push_test": effect | {"reach": reach}}


def separation(low, high):
    value = (low + high) / 2
    medians = {
        "top": with_interval(0.7, (0.6, 0.8)),
        "rest": with_interval(0.5, (0.49, 0.51)),
        "top_minus_rest": with_interval(value, (low, high)),
    }
    found = None if low is None else {"median_auc": medians, "top": []}
    return {"dimensions_compared": 10, "groups": {"all": {"separation": found}}}


def corner_cases(lengths, **others):
    classes = {
        name: {"joint": {"length_std": x, "best_single_std": x, "instead": "b"}}
        for name, x in lengths.items()
    }
    return {
        "classes": classes,
        "range_std": 20.0,
        "joint_dimensions": 10,
        "starts_not_classified_as_their_class": {},
        "classes_without_a_start": [],
    } | others
