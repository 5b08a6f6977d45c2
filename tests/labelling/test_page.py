"""The page in a real browser: keys, both views, undo, resume, and saves that fail."""

import numpy as np
import pytest

from ganfail_jax.data.label_table import read_csv
from ganfail_jax.labelling.pictures import encode
from tests.labelling.browser import browser, needs_browser
from tests.labelling.serving import serving

pytestmark = needs_browser


@pytest.fixture(scope="module")
def window():
    with browser() as opened:
        yield opened


@pytest.fixture
def file(tmp_path):
    return tmp_path / "labels.csv"


def picture(index):
    return encode(np.full((32, 32, 1), index, np.uint8))


def served(file, **settings):
    return serving(file, picture=picture, **settings)


def open_page(window, server):
    window.open(
        "about:blank"
    )  # from here even the same address, but for what is behind #, is loaded
    window.complaints()
    window.open(server.address)
    window.until("document.querySelectorAll('.focus').length")


def press(window, *keys, held=None):
    """Keys, and then wait until all is saved."""
    window.press(*keys, held=held)
    window.until("document.body.dataset.unsaved === '0'")


def focus(window):
    return window.js("return document.querySelector('.focus').title")


def counts(window):
    return window.js("return document.getElementById('counts').innerText").split()[::2]


def labels(file):
    return {index: label for (index, _), label in read_csv(file).labels.items()}


def test_keys_label_and_go_on(window, file):
    with served(file) as server:
        open_page(window, server)
        assert focus(window) == "sample 10"
        press(window, "n", "a", "s", "ArrowRight", "a")
        assert labels(file) == {10: "normal", 11: "artifact", 12: "skip", 14: "artifact"}
        assert focus(window) == "sample 15"
        assert counts(window) == ["1", "2", "1", "96"]
        press(window, "Home", "a", "ArrowLeft", "ArrowLeft", "Backspace", "End", "n")
        expected = {11: "artifact", 12: "skip", 14: "artifact", 109: "normal"}
        assert labels(file) == expected
        press(window, "Home", " ")
        assert focus(window) == "sample 13"  # the next one without a label
        assert not window.complaints()


def test_undo_takes_back_one_by_one_even_what_was_there_before(window, file):
    file.write_text("index,seed,label\n10,3,skip\n10,0,skip\n")
    with served(file) as server:
        open_page(window, server)
        assert focus(window) == "sample 11"  # it goes on where there is no label
        press(window, "ArrowLeft", "a", "n", "u")
        assert read_csv(file).labels == {(10, 3): "artifact", (10, 0): "skip"}
        assert focus(window) == "sample 11"
        press(window, "u")
        assert read_csv(file).labels == {(10, 3): "skip", (10, 0): "skip"}
        press(window, "u", "u")
        assert read_csv(file).labels == {(10, 0): "skip"}  # another seed's is left alone
        assert window.js("return document.getElementById('message').innerText") == (
            "There is nothing to undo."
        )


def test_the_rest_of_the_page_is_one_step(window, file):
    with served(file) as server:
        open_page(window, server)
        tiles = window.js("return document.querySelectorAll('.tile').length")
        assert 4 < tiles < 100
        press(window, "a", "ArrowRight", "s")
        press(window, "n", held="Shift")
        page = {index: "normal" for index in range(10, 10 + tiles)}
        assert labels(file) == page | {10: "artifact", 12: "skip"}
        press(window, "u")
        assert labels(file) == {10: "artifact", 12: "skip"}


def test_grid_and_single_view_show_the_same(window, file):
    with served(file, num_classes=7) as server:
        open_page(window, server)
        assert not window.js("return document.getElementById('grid').hidden")
        press(window, "ArrowDown", "ArrowUp", "ArrowRight", "g")
        window.until("document.getElementById('large').naturalWidth === 32")
        assert window.js("return document.getElementById('grid').hidden")
        caption = "return document.getElementById('caption').innerText"
        assert window.js(caption) == "sample 11 · asked for class 4 · no label"
        press(window, "a", "ArrowLeft")
        assert window.js(caption) == "sample 11 · asked for class 4 · artifact"
        width = window.js("return document.getElementById('large').width")
        assert width % 32 == 0  # every pixel as large as the others
        press(window, "g")
        assert focus(window) == "sample 11"
        tile = "return document.querySelector('.focus figcaption').innerText"
        assert window.js(tile).split() == ["class", "4", "artifact"]
        assert labels(file) == {11: "artifact"}
        assert not window.complaints()


def test_pages_are_turned_and_every_image_fits(window, file):
    with served(file) as server:
        open_page(window, server)
        first = window.js("return document.querySelectorAll('.tile').length")
        window.press("PageDown")
        assert focus(window) == f"sample {10 + first}"
        assert window.js("return document.querySelector('.tile').title") == f"sample {10 + first}"
        window.press("+")
        assert window.js("return document.querySelectorAll('.tile').length") < first
        window.press("-", "-", "-", "-")
        assert window.js("return document.querySelectorAll('.tile').length") > first
        grid = window.js(
            "const g = document.getElementById('grid');"
            "return [g.scrollHeight - g.clientHeight, g.scrollWidth - g.clientWidth]"
        )
        assert grid == [0, 0]
        window.until(
            "[...document.querySelectorAll('.tile img')].every((i) => i.naturalWidth === 32)"
        )


def test_buttons_do_what_keys_do(window, file):
    with served(file) as server:
        open_page(window, server)
        for name in ("normal", "artifact", "undo", "view", "skip", "help"):
            window.js(f"document.querySelector('button[data-do={name}]').click()")
        assert window.js("return document.getElementById('help').open")
        window.press("n")  # not while the help is open
        window.press("?")
        press(window, "a")
        assert labels(file) == {10: "normal", 11: "skip", 12: "artifact"}


def test_a_label_that_cannot_be_saved_is_taken_back_and_said(window, file):
    with served(file) as server:
        open_page(window, server)
        press(window, "n")
        file.write_text("of another program")
        press(window, "a")
        window.until("!document.getElementById('message').hidden")
        message = window.js("return document.getElementById('message').innerText")
        assert message.startswith("Not saved and taken back: ")
        assert "labels.csv was changed by another program" in message
        assert counts(window) == ["1", "0", "0", "99"]
    assert file.read_text() == "of another program"


def test_a_server_that_has_ended_is_missed(window, file):
    with served(file) as server:
        open_page(window, server)
        press(window, "n")
    window.press("a")
    window.until("document.getElementById('message').innerText.includes('has it ended')")
    assert counts(window) == ["1", "0", "0", "99"]
    assert labels(file) == {10: "normal"}


def test_an_address_without_its_token_labels_nothing(window, file):
    with served(file) as server:
        window.open("about:blank")
        window.open(server.address.split("#")[0])
        window.until("document.querySelectorAll('.focus').length")
        message = "return document.getElementById('message').innerText"
        assert "open the address that was printed" in window.js(message)
        press(window, "n")
        assert "of an earlier session" in window.js(message)
        assert not file.exists()


def test_another_page_can_neither_read_nor_label(window, file):
    """The browser itself sends what a page of another origin may send."""
    with served(file) as server, served(file.with_name("other.csv")) as other:
        open_page(window, other)
        body = '{"labels": [[10, "normal"]]}'
        headers = f'{{"Content-Type": "application/json", "X-Token": "{server.token}"}}'
        for options in (f"{{method: 'POST', body: '{body}', mode: 'no-cors'}}", "{}"):
            tried = f"fetch('http://127.0.0.1:{server.server_port}/labels', {options})"
            assert window.js(f"return {tried}.then(() => 'sent', () => 'refused')") == "refused"
        window.open("data:text/html,<p>a page with no policy</p>")
        post = f"{{method: 'POST', body: '{body}', headers: {headers}}}"
        simple = f"{{method: 'POST', body: '{body}', mode: 'no-cors'}}"
        for options in (post, simple):
            tried = f"fetch('http://127.0.0.1:{server.server_port}/labels', {options})"
            window.js(f"return {tried}.then(() => 'sent', () => 'refused')")
        assert not file.exists()
