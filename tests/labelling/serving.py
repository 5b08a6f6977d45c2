"""A server of labels in this process, and a client that sends it bytes as they are."""

import json
import socket
import threading
from contextlib import contextmanager
from typing import NamedTuple

from ganfail_jax.data.label_store import LabelStore
from ganfail_jax.labelling.server import LabelServer
from ganfail_jax.labelling.session import Session

GENERATOR = "0123456789abcdef"
IMAGES = "/images/0123456789ab/3/"  # of seed 3


class Address(NamedTuple):
    """Where a server in another process is."""

    server_port: int
    token: str


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


class Client:
    """One connection; a context that closes it."""

    def __init__(self, server: LabelServer | Address) -> None:
        self.server = server
        self.socket = socket.create_connection(("127.0.0.1", server.server_port), timeout=20)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def send(self, method, path, headers=None, body=b""):
        """Headers of our own page, but those in `headers`; None leaves one out."""
        own = {"Host": f"127.0.0.1:{self.server.server_port}"}
        if method == "POST":
            own |= {"Content-Type": "application/json", "X-Token": self.server.token}
            own |= {"Content-Length": str(len(body)), "Origin": f"http://{own['Host']}"}
        lines = [f"{n}: {v}\r\n" for n, v in {**own, **(headers or {})}.items() if v is not None]
        self.raw(f"{method} {path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode("latin-1") + body)

    def raw(self, content):
        self.socket.sendall(content)

    def answer(self):
        """The next answer.

        Raises:
            EOFError: the server closed instead.
        """
        if not (line := self.file.readline()):
            raise EOFError
        headers = {}
        while (header := self.file.readline()) not in (b"\r\n", b""):
            name, value = header.decode().split(":", 1)
            headers[name] = value.strip()
        return Answer(int(line.split()[1]), headers, self.file.read(int(headers["Content-Length"])))

    def ask(self, method, path, headers=None, body=b""):
        self.send(method, path, headers, body)
        return self.answer()

    def label(self, *changes):
        return self.ask("POST", "/labels", body=json.dumps({"labels": changes}).encode())


@contextmanager
def serving(file, picture=lambda index: b"%d" % index, num_samples=100, num_classes=0):
    """A server of samples 10, 11 and so on of seed 3, which answers until the block ends."""
    store = LabelStore(file, GENERATOR)
    session = Session(
        store=store,
        picture=picture,
        generator="made up",
        num_classes=num_classes,
        seed=3,
        first_index=10,
        num_samples=num_samples,
    )
    try:
        with LabelServer(session) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.02,))
            thread.start()
            try:
                yield server
            finally:
                server.shutdown()
                thread.join()
    finally:
        store.close()
