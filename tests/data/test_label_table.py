"""Tables of labels and folders of sorted pictures: what is read, and what is refused."""

import pytest

from ganfail_jax.data import label_table
from ganfail_jax.errors import InputError


def test_a_table_keeps_its_order_and_its_generator(tmp_path):
    file = tmp_path / "labels.csv"
    file.write_text("index,seed,label,generator\n7,0,artifact,abc\n3,4294967295,skip,abc\n")
    table = label_table.read_csv(file)
    assert [*table.labels.items()] == [((7, 0), "artifact"), ((3, 2**32 - 1), "skip")]
    assert table.generator == "abc"


def test_a_table_of_a_spreadsheet_is_read(tmp_path):
    """Columns in another order, a byte order mark, carriage returns, quotes, no generator."""
    file = tmp_path / "labels.csv"
    file.write_bytes('\ufefflabel,"index",seed\r\n"normal",5,1\r\n'.encode())
    assert label_table.read_csv(file) == label_table.Table({(5, 1): "normal"}, None)


BAD_TABLES = [
    ("", "line 1: the columns must be index, seed, label, generator, each once"),
    ("index,seed\n", "line 1: the columns must be index, seed, label, generator"),
    ("index,seed,label,note\n", "line 1: the columns must be index, seed, label, generator"),
    ("index,seed,label\n1,0,Normal\n", "line 2: label 'Normal' is none of normal, artifact, skip"),
    ("index,label,seed,label\n1,normal,0,skip\n", "line 1: the columns must be"),
    ("index,index,seed,label\n1,7,0,skip\n", "line 1: the columns must be"),
    ("index,seed,label,\n1,0,skip,\n", "line 1: the columns must be"),
    ("index,seed,label\n1,0,skip\n2,0,skip,3\n", "line 3: not 3 cells, as line 1 has"),
    ("index,seed,label\n1,0\n", "line 2: not 3 cells, as line 1 has"),
    ("label,index,seed,generator\nskip,1,0\n", "line 2: not 4 cells, as line 1 has"),
    ("index,seed,label\n-1,0,normal\n", "line 2: index '-1' is no number from 0 to 2147483647"),
    ("index,seed,label\n2147483648,0,skip\n", "line 2: index '2147483648' is no number"),
    ("index,seed,label\n1,x,normal\n", "line 2: seed 'x' is no number from 0 to 4294967295"),
    ("index,seed,label\n1,0,skip\n1,0,skip\n", "line 3: sample 1 of seed 0 comes twice"),
    (
        "index,seed,label,generator\n1,0,skip,a\n2,0,skip,\n",
        "labels.csv has labels of several generators: a, none",
    ),
    ('index,seed,label\n1,0,"skip\n', "labels.csv is no CSV file"),
    ("index,seed,label\n1,0," + "x" * 200_000, "labels.csv is no CSV file: field larger than"),
    ("index,seed,label\n1,0," + "x" * 9_000, f"label '{'x' * 100}' is none of normal"),
    ("index,seed,label\n" + "\n" * 2**24, "labels.csv is no CSV file: 16,777,233 bytes, more th"),
    (
        "index,seed,label,generator\n1,0,skip,1.2e11\n",
        "line 2: generator '1.2e11' is not the start of a SHA-256",
    ),
    ("\udcff", "labels.csv is no CSV file"),
]


@pytest.mark.parametrize(("content", "message"), BAD_TABLES, ids=range(len(BAD_TABLES)))
def test_a_bad_table_is_refused(content, message, tmp_path):
    file = tmp_path / "labels.csv"
    file.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(InputError) as caught:
        label_table.read_csv(file)
    assert message in str(caught.value)


def test_a_missing_table_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"none\.csv cannot be read: No such file or directory"):
        label_table.read_csv(tmp_path / "none.csv")


def fill(folder, names):
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()


def test_sorted_pictures_are_labels(tmp_path):
    fill(tmp_path, ["normal/seed0-index000003.png", "artifact/seed1-index12.JPG"])
    fill(tmp_path, ["skip/seed0-index0000000004.webp", "unlabelled/seed0-index000005.png"])
    fill(
        tmp_path,
        ["normal/Thumbs.db", "normal/.DS_Store", "normal/._seed0-index000001.png", "notes.txt"],
    )
    wanted = {(3, 0): "normal", (12, 1): "artifact", (4, 0): "skip"}
    assert label_table.read_folders(tmp_path) == label_table.Table(wanted, None)


@pytest.mark.parametrize(("index", "seed"), [(0, 0), (123, 5), (2**31 - 1, 2**32 - 1)])
def test_a_picture_is_found_by_its_name(index, seed, tmp_path):
    fill(tmp_path, [f"artifact/{label_table.picture_name(index, seed)}"])
    assert [*label_table.read_folders(tmp_path).labels] == [(index, seed)]


def test_the_name_of_a_picture_is_that_of_the_documentation():
    assert label_table.picture_name(123, 0) == "seed0-index000123.png"


BAD_FOLDERS = [
    ([], "has no pictures in folders called normal, artifact, skip"),
    (["seed0-index000003.png"], "has no pictures in folders called normal, artifact, skip"),
    (["skip/3.png"], "skip/3.png is not named as seed0-index000123.png"),
    (["skip/seed0-index3 (1).png"], "is not named as seed0-index000123.png"),
    (["skip/seed0-index2147483648.png"], "index '2147483648' is no number"),
    (["skip/seed0-index3.png", "normal/seed0-index3.png"], "sample 3 of seed 0 comes twice"),
]


@pytest.mark.parametrize(("names", "message"), BAD_FOLDERS)
def test_bad_folders_are_refused(names, message, tmp_path):
    fill(tmp_path, names)
    with pytest.raises(InputError) as caught:
        label_table.read_folders(tmp_path)
    assert message in str(caught.value)
