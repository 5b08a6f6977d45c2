"""Labels by a person: what is read, and every way in which a file can be wrong."""

import hashlib

import numpy as np
import pytest

from ganfail_jax.data.labels import read_labels
from ganfail_jax.errors import InputError

GOOD = "index,seed,label\n5,0,artifact\n2,0,normal\n5,3,normal\n9,3,artifact\n7,3,normal\n"


def test_labels_of_a_seed_in_the_order_of_the_file(tmp_path):
    file = tmp_path / "labels.csv"
    file.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())  # as spreadsheets do
    labels = read_labels(file, 3)
    np.testing.assert_array_equal(labels.indices, [5, 9, 7])
    np.testing.assert_array_equal(labels.artifact, [False, True, False])
    assert labels.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()


def test_columns_have_any_order_and_company(tmp_path):
    file = tmp_path / "labels.csv"
    file.write_text('label,note,seed,index\nartifact,"a, b",0,4\n')
    labels = read_labels(file, 0)
    assert (labels.indices.tolist(), labels.artifact.tolist()) == ([4], [True])


BAD = [
    ("", "has no columns index, seed, label in its first line"),
    ("index,label\n1,normal\n", "has no columns index, seed, label in its first line"),
    (GOOD, "has no labels of --seed=1; its seeds: 0, 3"),
    ("index,seed,label\n", "has no labels of --seed=1; its seeds: none"),
    ("index,seed,label\n4,1,normal\n-4,1,normal\n", "line 3: index '-4' is no number from 0 to"),
    ("index,seed,label\n2147483648,1,normal\n", "is no number from 0 to 2147483647"),
    (f"index,seed,label\n{'9' * 5000},1,normal\n", "is no number from 0 to 2147483647"),
    ("index,seed,label\n4\n", "line 2: seed None is no number from 0 to 4294967295"),
    ("index,seed,label\n4,1,Normal\n", "line 2: label 'Normal' is none of normal, artifact"),
    ("index,seed,label\n4,1,normal\n4,1,artifact\n", "line 3: sample 4 of seed 1 comes twice"),
    ('index,seed,label\n4,1,"normal\n', "is no CSV file: unexpected end of data"),
]


@pytest.mark.parametrize(("text", "message"), BAD, ids=range(len(BAD)))
def test_what_is_wrong_is_told(text, message, tmp_path):
    file = tmp_path / "labels.csv"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        read_labels(file, 1)
    assert str(caught.value).startswith(str(file))
    assert message in str(caught.value)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match=r"missing\.csv cannot be read: No such file"):
        read_labels(tmp_path / "missing.csv", 0)
    (tmp_path / "picture.csv").write_bytes(b"\x89PNG\xff")
    with pytest.raises(InputError, match=r"picture\.csv is no CSV file: 'utf-8' codec"):
        read_labels(tmp_path / "picture.csv", 0)
