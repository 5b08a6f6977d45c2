"""The labelled samples of a seed; what can be wrong with a table is in test_label_table.py."""

import hashlib

import numpy as np
import pytest

from ganfail_jax.data.labels import read_labels
from ganfail_jax.errors import InputError

GOOD = (
    "index,seed,label\n5,0,artifact\n2,0,normal\n5,3,normal\n9,3,artifact\n7,3,normal\n1,3,skip\n"
)


def test_labels_of_a_seed_in_the_order_of_the_file(tmp_path):
    file = tmp_path / "labels.csv"
    file.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())  # as spreadsheets do
    labels = read_labels(file, 3, "ab12")
    np.testing.assert_array_equal(labels.indices, [5, 9, 7])
    np.testing.assert_array_equal(labels.artifact, [False, True, False])
    assert labels.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()


BAD = [
    (GOOD, "has no labels of --seed=1; its seeds: 0, 3"),
    ("index,seed,label\n4,1,skip\n", "has no labels of --seed=1; its seeds: none"),
    ("index,seed,label,generator\n4,1,normal,ab13\n", "has labels of another generator, ab13"),
]


@pytest.mark.parametrize(("text", "message"), BAD, ids=range(len(BAD)))
def test_what_is_wrong_is_told(text, message, tmp_path):
    file = tmp_path / "labels.csv"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        read_labels(file, 1, "ab12")
    assert str(caught.value) == f"{file} {message}"
    assert read_labels_of_own_generator(file.with_name("own.csv")) == [4]


def read_labels_of_own_generator(file):
    file.write_text("index,seed,label,generator\n4,1,normal,ab12\n")
    return read_labels(file, 1, "ab12").indices.tolist()
