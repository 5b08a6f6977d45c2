"""The server of labels over real sockets: it answers, refuses, loses nothing."""

import json
import random
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress

import pytest

from ganfail_jax.data.label_table import LABELS, read_csv
from ganfail_jax.errors import InputError
from ganfail_jax.labelling import server as under_test
from tests.analyze.commands import ENVIRONMENT
from tests.labelling.serving import IMAGES, Address, Client, serving


@pytest.fixture
def file(tmp_path):
    return tmp_path / "labels.csv"


@pytest.fixture
def server(file):
    with serving(file) as running:
        yield running


def rows(file):
    return file.read_text().splitlines()[1:] if file.exists() else []


# --- what it answers


def test_the_page_comes_with_a_policy_that_allows_nothing_else(server):
    with Client(server) as client:
        for path, kind in (("/", "html"), ("/page.js", "javascript"), ("/page.css", "css")):
            answer = client.ask("GET", path)
            assert answer.status == 200
            assert kind in answer.headers["Content-Type"]
            assert b"http" not in answer.body.replace(b"http://www.w3.org/2000/svg", b"")
            assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; ")
            assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert server.token.encode() not in answer.body


def test_the_address_is_this_machine_alone_and_has_the_token_where_browsers_keep_it(server):
    assert server.server_address[0] == "127.0.0.1"
    assert server.address == f"http://127.0.0.1:{server.server_port}/#{server.token}"
    assert len(server.token) >= 20


def test_images_are_those_of_the_range(server):
    with Client(server) as client:
        answer = client.ask("GET", f"{IMAGES}109.png")
        assert (answer.status, answer.body) == (200, b"109")
        assert answer.headers["Content-Type"] == "image/png"
        assert "immutable" in answer.headers["Cache-Control"]
    for index in (9, 110):
        with Client(server) as client:
            assert client.ask("GET", f"{IMAGES}{index}.png").status == 404


def test_state_has_the_labels_in_their_order(file):
    file.write_text("index,seed,label\n90,3,skip\n12,3,normal\n12,0,artifact\n110,3,normal\n")
    with serving(file, num_classes=7) as server, Client(server) as client:
        client.label([50, "artifact"], [12, "skip"])
        state = json.loads(client.ask("GET", "/state").body)
        assert state == {
            "generator": "made up",
            "seed": 3,
            "first": 10,
            "number": 100,
            "classes": 7,
            "file": str(file),
            "images": IMAGES,
            "labels": [[90, "skip"], [50, "artifact"], [12, "skip"]],
        }
    kept = {(90, 3): "skip", (12, 0): "artifact", (110, 3): "normal"}
    assert read_csv(file).labels == kept | {(50, 3): "artifact", (12, 3): "skip"}


def test_a_label_is_in_the_file_when_it_is_answered(server, file):
    with Client(server) as client:
        for index, label in ((10, "normal"), (11, "skip"), (10, "artifact"), (11, None)):
            assert client.label([index, label]).status == 200
            written = read_csv(file).labels
            assert written.get((index, 3)) == label
    assert rows(file) == ["10,3,artifact,0123456789ab"]


def test_changes_of_one_request_are_made_together_or_not_at_all(server, file):
    with Client(server) as client:
        assert client.label([10, "normal"], [11, "normal"], [12, "normal"]).status == 200
    with Client(server) as client:
        assert client.label([13, "normal"], [110, "normal"]).status == 400
    assert [row.split(",")[0] for row in rows(file)] == ["10", "11", "12"]


# --- what it refuses


POST = ("POST", "/labels")
GOOD = b'{"labels": [[10, "normal"]]}'
REFUSED = [
    # hosts that another name was bound to, origins of other pages
    ("GET", "/", {"Host": "evil.example"}, b"", 403, "not the host"),
    ("GET", "/state", {"Host": "127.0.0.1"}, b"", 403, "not the host"),
    ("GET", "/state", {"Host": None}, b"", 403, "not the host"),
    ("GET", "/state", {"Origin": "http://evil.example"}, b"", 403, "only our own page"),
    ("GET", f"{IMAGES}10.png", {"Host": "127.0.0.1:1"}, b"", 403, "not the host"),
    (*POST, {"Host": "evil.example"}, GOOD, 403, "not the host"),
    (*POST, {"Origin": "http://evil.example"}, GOOD, 403, "only our own page"),
    (*POST, {"Origin": "http://127.0.0.1:1"}, GOOD, 403, "only our own page"),
    (*POST, {"Origin": "null"}, GOOD, 403, "only our own page"),
    # without the token
    (*POST, {"X-Token": None}, GOOD, 403, "of an earlier session"),
    (*POST, {"X-Token": "x" * 22}, GOOD, 403, "of an earlier session"),
    (*POST, {"X-Token": "\xe4"}, GOOD, 403, "of an earlier session"),
    # what a form of another page can send
    (*POST, {"Content-Type": None}, GOOD, 415, "must be application/json"),
    (*POST, {"Content-Type": "text/plain"}, GOOD, 415, "must be application/json"),
    # lengths
    (*POST, {"Content-Length": None}, b"", 411, "Content-Length must be given"),
    (*POST, {"Transfer-Encoding": "chunked"}, b"0\r\n\r\n", 411, "Content-Length must be given"),
    (*POST, {"Content-Length": "-1"}, b"", 400, "not a number"),
    (*POST, {"Content-Length": "1e1"}, b"", 400, "not a number"),
    (*POST, {"Content-Length": "9" * 5000}, b"", 400, "not a number"),
    (*POST, {}, b" " * 4097, 413, "at most 4096 bytes"),
    (*POST, {}, b" " * 300_000, 413, "at most 4096 bytes"),
    ("GET", "/", {"Content-Length": "5"}, b"hello", 400, "a GET has no body"),
    # bodies
    (*POST, {}, b"", 400, "not JSON"),
    (*POST, {}, b"{", 400, "not JSON"),
    (*POST, {}, b"\xff\xfe", 400, "not JSON"),
    (*POST, {}, b"[" * 4096, 400, "not JSON"),
    (*POST, {}, b"[]", 400, "the body must be"),
    (*POST, {}, b"{}", 400, "the body must be"),
    (*POST, {}, b'{"labels": []}', 400, "the body must be"),
    (*POST, {}, b'{"labels": {"10": "normal"}}', 400, "the body must be"),
    (*POST, {}, b'{"labels": [[10, "skip"]], "more": 1}', 400, "the body must be"),
    (*POST, {}, b'{"labels": [10]}', 400, "a change must be [index, label]"),
    (*POST, {}, b'{"labels": [[10]]}', 400, "a change must be [index, label]"),
    (*POST, {}, b'{"labels": [["10", "skip"]]}', 400, "a change must be [index, label]"),
    (*POST, {}, b'{"labels": [[10.0, "skip"]]}', 400, "a change must be [index, label]"),
    (*POST, {}, b'{"labels": [[true, "skip"]]}', 400, "a change must be [index, label]"),
    (*POST, {}, b'{"labels": [[10, 1]]}', 400, "a change must be [index, label]"),
    (*POST, {}, b'{"labels": [[10, "Normal"]]}', 400, "labels are normal, artifact, skip"),
    (*POST, {}, b'{"labels": [[9, "skip"]]}', 400, "no sample 9 is shown"),
    (*POST, {}, b'{"labels": [[1' + b"0" * 4000 + b', "skip"]]}', 400, "no sample 1000"),
    # paths
    ("GET", "/nothing", {}, b"", 404, "nothing here"),
    ("GET", "/page.html", {}, b"", 404, "nothing here"),
    ("GET", "/../label_store.py", {}, b"", 404, "nothing here"),
    ("GET", "/page.css/../../server.py", {}, b"", 404, "nothing here"),
    ("GET", "/%2e%2e/server.py", {}, b"", 404, "nothing here"),
    ("GET", "//etc/passwd", {}, b"", 404, "nothing here"),
    ("GET", f"{IMAGES}../10.png", {}, b"", 404, "nothing here"),
    ("GET", f"{IMAGES}" + "1" * 5000 + ".png", {}, b"", 404, "nothing here"),
    ("GET", "/images/0123456789ab/0/10.png", {}, b"", 404, "nothing here"),  # another seed
    ("POST", "/nothing", {}, GOOD, 404, "nothing here"),
    # methods
    ("GET", "/labels", {}, b"", 405, "only POST"),
    ("POST", "/state", {}, GOOD, 405, "only GET"),
    ("PUT", "/labels", {}, b"", 405, "only POST"),
    ("DELETE", "/labels", {}, b"", 405, "only POST"),
    ("OPTIONS", "/labels", {}, b"", 405, "only POST"),  # what asks for another origin
    ("BREW", "/", {}, b"", 501, "Unsupported method"),
]


@pytest.mark.parametrize(("method", "path", "headers", "body", "status", "reason"), REFUSED)
def test_refused(method, path, headers, body, status, reason, server, file, capfd):
    with Client(server) as client:
        answer = client.ask(method, path, headers, body)
        assert answer.status == status
        assert reason in answer.body.decode()
        assert b"Traceback" not in answer.body
        assert "Access-Control-Allow-Origin" not in answer.headers
        with pytest.raises(EOFError):  # the connection is not used any further
            client.answer()
    assert not file.exists()
    with Client(server) as client:  # and it goes on answering
        assert client.label([10, "normal"]).status == 200
    assert capfd.readouterr() == ("", "")


RAW = [
    (b"nonsense\r\n\r\n", 400),
    (b"GET / HTTP/9.9\r\n\r\n", 505),
    (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 403),
    (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
    (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n", 431),
    (b"GET /\r\n\r\n", 403),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),  # TLS
]


@pytest.mark.parametrize(("content", "status"), RAW)
def test_what_is_no_request_is_refused(content, status, server, capfd):
    with Client(server) as client:
        client.raw(content)
        answer = client.answer()
        assert answer.status == status
        assert b"Traceback" not in answer.body
    assert capfd.readouterr() == ("", "")


def test_other_ways_to_say_our_own_name_are_fine(server):
    port = server.server_port
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"LocalHost:{port}"):
        with Client(server) as client:
            origin = {"Host": host, "Origin": f"http://localhost:{port}"}
            kind = {"Content-Type": "application/json; charset=utf-8"}
            assert client.ask(*POST, {**origin, **kind}, GOOD).status == 200


def test_the_method_that_is_allowed_is_told(server):
    with Client(server) as client:
        assert client.ask("GET", "/labels").headers["Allow"] == "POST"


def test_slow_clients_are_let_go(server, monkeypatch):
    """Nothing sent, half a header that trickles, and a body that never comes."""
    monkeypatch.setattr(under_test, "PATIENCE", 0.4)
    with Client(server) as silent, Client(server) as trickling, Client(server) as waiting:
        trickling.raw(b"GET / HTTP/1.1\r\nX: ")
        waiting.send(*POST, {"Content-Length": "100"}, GOOD)
        started = time.monotonic()
        with suppress(ConnectionError):
            while time.monotonic() < started + 10:
                trickling.raw(b"x")
                time.sleep(0.05)
        for client in (silent, waiting):
            with pytest.raises(EOFError):
                client.answer()
        assert time.monotonic() < started + 10


def test_a_failure_is_told_in_a_line_and_keeps_nothing_open(file, capfd):
    def fail(_):
        raise RuntimeError("secret")

    with serving(file, picture=fail) as server:
        with Client(server) as client:
            answer = client.ask("GET", f"{IMAGES}10.png")
            assert (answer.status, answer.body) == (500, b"the server failed\n")
        assert capfd.readouterr() == ("", "error: secret\n")
        file.write_text("of another program")
        with Client(server) as client:
            answer = client.label([10, "normal"])
            assert answer.status == 500
            assert b"labels.csv was changed by another program" in answer.body
    assert file.read_text() == "of another program"


def test_a_port_that_is_taken_is_refused(server, tmp_path):
    session = server.session
    with pytest.raises(InputError, match=f"cannot listen on port {server.server_port} "):
        under_test.LabelServer(session, server.server_port)


# --- nothing is lost


CLIENTS, REQUESTS = 40, 250


def test_ten_thousand_requests_under_load_lose_nothing(file):
    """Each client labels, changes and takes away labels of its own samples."""
    wanted, faults = {}, []

    def work(client_number):
        draw = random.Random(client_number)
        mine = range(10 + client_number, 10 + 1000, CLIENTS)
        with Client(server) as client:
            for _ in range(REQUESTS):
                index, label = draw.choice(mine), draw.choice([*LABELS, None])
                if (answer := client.label([index, label])).status != 200:
                    faults.append(answer)
                wanted[index, 3] = label

    with serving(file, num_samples=1000) as server:
        threads = [threading.Thread(target=work, args=(n,)) for n in range(CLIENTS)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            if file.exists():
                read_csv(file)  # it is whole at every moment, and has no sample twice
            time.sleep(0.05)
    assert not faults
    assert read_csv(file).labels == {s: label for s, label in wanted.items() if label}


CHILD = """
import sys
from ganfail_jax.data.label_store import LabelStore
from ganfail_jax.labelling.server import LabelServer
from ganfail_jax.labelling.session import Session
store = LabelStore(sys.argv[1], "0123456789abcdef")
session = Session(store, lambda i: b"", "made up", 0, 3, 10, 10**6)
server = LabelServer(session)
print(server.server_port, server.token, len(store.labels), flush=True)
server.serve_forever()
"""


def start(file):
    """A server in a process of its own, its address, and how many labels it found."""
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(file)],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    port, token, found = process.stdout.readline().split()
    return process, Address(int(port), token), int(found)


def test_killed_at_any_moment_no_acknowledged_label_is_lost_or_doubled(file):
    sent, acknowledged, draw = set(), set(), random.Random(0)

    def work(indices):
        try:
            with Client(address) as client:
                for index in indices:
                    sent.add((index, 3))
                    if client.label([index, "artifact"]).status == 200:
                        acknowledged.add((index, 3))
        except (EOFError, OSError, ValueError):
            return  # killed, maybe within an answer

    for kill in range(3):
        process, address, found = start(file)
        assert found == (len(read_csv(file).labels) if kill else 0)
        first = 10 + 100_000 * kill
        threads = [
            threading.Thread(target=work, args=(range(first + n, first + 100_000, 8),))
            for n in range(8)
        ]
        for thread in threads:
            thread.start()
        while len(acknowledged) < 20 * (kill + 1):
            time.sleep(0.01)
        time.sleep(draw.uniform(0.0, 0.3))
        process.kill()
        assert process.communicate() == ("", "")
        for thread in threads:
            thread.join()
        lines = Counter(rows(file))
        assert set(lines.values()) == {1}
        assert acknowledged <= {*read_csv(file).labels} <= sent
    assert len(acknowledged) >= 60


def test_the_end_of_the_server_is_that_of_every_connection(file):
    with serving(file) as server:
        client = Client(server)
        assert client.label([10, "normal"]).status == 200
    with client, pytest.raises(EOFError):
        client.answer()
    with pytest.raises(ConnectionRefusedError):
        Client(server)


def test_a_client_that_leaves_early_makes_no_noise(server, capfd):
    for _ in range(5):
        with Client(server) as client:
            client.send(*POST, body=GOOD)
            linger = b"\1\0\0\0\0\0\0\0"  # close with a reset
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    with Client(server) as client:
        assert client.label([10, "normal"]).status == 200
    assert capfd.readouterr() == ("", "")
