"""Flags say how images enter a classifier of the user's own."""

import pytest

from ganfail_jax.cli import classifiers, flags, models
from ganfail_jax.errors import InputError
from ganfail_jax.studies import subject
from tests import tiny
from tests.analyze.commands import flags_of


def given(**values):
    return classifiers.entry_from(flags_of(classifiers.define_classifiers, **values))


def test_flags_are_the_arguments_of_wrap(tmp_path):
    (tmp_path / "names.txt").write_text("cat\n  dog \n")
    assert given() == {}
    assert given(
        input_size="224",
        input_range="-1,1",
        mean="0.5,0.4,0.3",
        std="2",
        layout="NCHW",
        input_resize="crop",
        outputs="probabilities",
        input_channels="3",
        class_names=str(tmp_path / "names.txt"),
    ) == {
        "size": [224, 224],
        "range": [-1.0, 1.0],
        "mean": [0.5, 0.4, 0.3],
        "std": [2.0],
        "layout": "NCHW",
        "resize": "crop",
        "outputs": "probabilities",
        "channels": 3,
        "class_names": ("cat", "dog"),
    }


BAD = [
    ({"input_size": "large"}, "--input_size=large: whole numbers are wanted"),
    ({"input_size": "2.5"}, "--input_size=2.5: whole numbers are wanted"),
    ({"mean": "0.5,x"}, "--mean=0.5,x: numbers are wanted"),
    ({"class_names": "nowhere.txt"}, "--class_names=nowhere.txt cannot be read: No such file"),
    ({"layout": "CHWN"}, "flag --layout=CHWN: value should be one of <NHWC|NCHW>"),
]


@pytest.mark.parametrize(("values", "message"), BAD, ids=lambda x: str(x)[:30])
def test_bad_values_are_one_line(values, message):
    with pytest.raises(InputError, match=message):
        given(**values)


@pytest.mark.parametrize("text", ["", "a\n\nb\n", "a\nb\na\n"])
def test_names_are_one_per_line(text, tmp_path):
    (tmp_path / "names.txt").write_text(text)
    with pytest.raises(InputError, match="one name per line, each another, is wanted"):
        classifiers.read_names(str(tmp_path / "names.txt"))


def test_a_stored_classifier_takes_none_of_them():
    own = tiny.models()
    generator = subject.of_generator(own.generator, own.generator_params, "g")
    line = "mnist_c_clean says itself how images enter it; leave out mean"
    with pytest.raises(InputError, match=line):
        subject.load_classifiers(generator, ["mnist_c_clean"], {"mean": 0.5})


def test_the_help_says_that_a_factory_is_run():
    defined = flags_of(flags.define_dataset, models.define_models)
    for name in ("generator", "classifier"):
        text = defined[name].help
        assert text is not None
        assert "package.module:factory, a function of yours that is imported and run" in text
