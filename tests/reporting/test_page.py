"""A page is one file, its texts are only texts, and it stays within its size."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from ganfail_jax.reporting import page
from ganfail_jax.reporting.content import Figure, Finding, Report, Section, Table, number, text

HOSTILE = """</script><script>alert(1)</script><img src=x onerror="alert('2')">{{ 7 * 7 }}"""


class Parsed(HTMLParser):
    """The elements of a page with their attributes, and all text outside of scripts and styles."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.words = [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.elements and self.elements[-1][0] not in ("script", "style"):
            self.words.append(data)


def report(folder, says="as it is", *, pixels=8, figures=1):
    files = []
    rng = np.random.default_rng(0)
    for i in range(figures):
        files.append(folder / f"{i}.png")
        Image.fromarray(rng.integers(0, 256, (pixels, pixels, 3), np.uint8)).save(files[-1])
    rows = [(text(says), number(0.5)), (text("b"), number(None))]
    section = Section(
        key="rank",
        question=says,
        conclusions=[says],
        figures=[Figure(file, says) for file in files],
        tables=[Table(says, (says, "value"), rows)],
        method=[says],
        command=says,
        warnings=[says],
        provenance={says: {"folder": says}},
        left_out=says,
    )
    return Report(says, says, [says], [Finding(says, [says, says])], [section])


def test_hostile_names_are_text(tmp_path):
    html = page.render(report(tmp_path, HOSTILE), {HOSTILE: HOSTILE})
    plain = page.render(report(tmp_path), {"made with": "it"})
    hostile, expected = Parsed(html), Parsed(plain)
    assert [tag for tag, _ in hostile.elements] == [tag for tag, _ in expected.elements]
    assert [[*own] for _, own in hostile.elements] == [[*own] for _, own in expected.elements]
    assert "".join(hostile.words).count(HOSTILE) >= 15
    assert "49" not in "".join(hostile.words).replace(HOSTILE, "")


def test_a_page_asks_for_nothing_and_runs_only_its_own_script(tmp_path):
    html = page.render(report(tmp_path), {})
    for tag, own in Parsed(html).elements:
        for name in ("src", "href"):
            assert (own.get(name) or "#").startswith(("#", "data:image/png;base64,")), tag
        assert not any(name.startswith("on") for name in own), tag
    policy = next(own["content"] for _, own in Parsed(html).elements if "http-equiv" in own)
    assert policy.startswith("default-src 'none'; img-src data:;")
    for kind in ("style", "script"):
        (content,) = re.findall(rf"<{kind}>(.*?)</{kind}>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert "url(" not in html
    assert "http:" not in html.replace("http-equiv", "")


def test_lone_surrogates_of_a_path_can_be_written(tmp_path):
    page.render(report(tmp_path, "bad \udcff name"), {}).encode()


@pytest.mark.parametrize(("figures", "kept"), [(2, 2), (5, 3)])
def test_a_page_stays_within_its_size(figures, kept, tmp_path, monkeypatch):
    monkeypatch.setattr(page, "MOST_FIGURES", 900_000)  # three of 256 kB, as base64
    html = page.render(report(tmp_path, pixels=256, figures=figures), {})
    assert html.count("data:image/png") == kept
    assert html.count("left out, for the size of this page: ") == figures - kept
    assert page.MOST_FIGURES < page.MOST - 2_000_000


def test_what_is_missing_is_not_a_number():
    assert number(None) == ("none", None)
    assert number(0.25, ".0%").text == "25%"
