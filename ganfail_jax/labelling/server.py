"""The page on which a person labels images, served to this machine alone.

Any page in the person's browser can send requests to this address, and any program of the machine
can connect to it. So a request must name us as its host (another name may have been rebound to
127.0.0.1), come from our own page, and, to change a label, carry the token that only the printed
address has. No path is ever looked up on disk.
"""

import io
import json
import re
import secrets
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, cast

from ganfail_jax.errors import InputError
from ganfail_jax.labelling.session import Session

HOST = "127.0.0.1"
PAGE = Path(__file__).parent / "page"
LARGEST_BODY = 4096  # bytes
PATIENCE = 15.0  # seconds for a whole request, and between two on one connection
FILES = {  # path -> file, content type
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Reply(NamedTuple):
    """What is sent back."""

    status: HTTPStatus
    content_type: str
    body: bytes
    headers: Mapping[str, str] = {"Cache-Control": "no-store"}


class Refused(Exception):
    """A request is not answered, for a reason that its sender may know."""

    def __init__(self, status: HTTPStatus, reason: str, **headers: str) -> None:
        super().__init__(reason)
        body = f"{reason}\n".encode()
        self.reply = Reply(status, "text/plain; charset=utf-8", body, headers)


class LabelServer(ThreadingHTTPServer):
    """Serves the page of a session until it is closed, and then ends every connection."""

    # the process ends when its threads have: JAX aborts it if they do not
    daemon_threads = block_on_close = False
    request_queue_size = 128

    def __init__(self, session: Session, port: int = 0) -> None:
        """
        Args:
            port: 0 for any free one.

        Raises:
            InputError: the port is not free.
        """
        self.session = session
        self._open: set[Any] = set()  # connections
        self.token = secrets.token_urlsafe(16)
        self.files = {path: (PAGE / name).read_bytes() for path, (name, _) in FILES.items()}
        self.images = re.compile(rf"{session.images}([0-9]{{1,10}})\.png")
        try:
            super().__init__((HOST, port), Handler)
        except OSError as error:
            reason = error.strerror or error
            raise InputError(
                f"cannot listen on port {port} ({reason}); leave --port out"
            ) from error
        self.hosts = {f"{name}:{self.server_port}" for name in (HOST, "localhost")}
        self.origins = {f"http://{host}" for host in self.hosts}

    @property
    def address(self) -> str:
        """Where to point the browser; what is behind # is not sent by it."""
        return f"http://{HOST}:{self.server_port}/#{self.token}"

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        super().server_close()
        for connection in self._open.copy():
            with suppress(OSError):  # it has just ended by itself
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exception()
        if not isinstance(error, OSError):  # a connection that broke is nobody's concern
            print(f"error: {type(error).__name__}: {error}", file=sys.stderr)


class _Timed(io.RawIOBase):
    """What a connection receives until a deadline."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.deadline = 0.0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.connection.settimeout(left)
        return self.connection.recv_into(buffer)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.0"
    server_version, sys_version = "analyze.label", ""
    error_message_format, error_content_type = "%(message)s\n", "text/plain; charset=utf-8"
    wbufsize = -1  # a reply leaves in one piece

    def setup(self) -> None:
        super().setup()
        self.labels = cast(LabelServer, self.server)
        self.rfile.close()
        self.received = _Timed(self.connection)
        self.rfile = io.BufferedReader(self.received)

    def handle_one_request(self) -> None:
        self.received.deadline = time.monotonic() + PATIENCE
        super().handle_one_request()

    def parse_request(self) -> bool:
        self.received.deadline = time.monotonic() + PATIENCE
        return super().parse_request()

    def finish(self) -> None:
        """Close only when the client has, or it might lose the reply that refuses its request."""
        with suppress(OSError):
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_WR)
            self.received.deadline = time.monotonic() + 1
            while self.rfile.read1(2**16):
                pass
        super().finish()

    def log_message(self, format: str, *args: Any) -> None:
        """The terminal is for the person."""

    def answer(self) -> None:
        try:
            reply = self._reply()
        except Refused as refused:
            reply = refused.reply
        except (TimeoutError, ConnectionError):
            raise
        except Exception as error:
            print(f"error: {error}", file=sys.stderr)
            reason = str(error) if isinstance(error, InputError) else "the server failed"
            reply = Refused(HTTPStatus.INTERNAL_SERVER_ERROR, reason).reply
        self.close_connection |= reply.status != HTTPStatus.OK
        self.connection.settimeout(PATIENCE)
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    do_GET = do_POST = answer
    do_HEAD = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_TRACE = do_CONNECT = answer

    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def _reply(self) -> Reply:
        self._check_sender()
        method = "POST" if self.path == "/labels" else "GET"
        image = self.labels.images.fullmatch(self.path)
        if not (image or self.path in ("/labels", "/state", *FILES)):
            raise Refused(HTTPStatus.NOT_FOUND, "there is nothing here")
        if self.command != method:
            reason = f"only {method} is answered here"
            raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, reason, Allow=method)
        if method == "POST":
            return self._record()
        if "Content-Length" in self.headers or "Transfer-Encoding" in self.headers:
            raise Refused(HTTPStatus.BAD_REQUEST, "a GET has no body")
        if image:
            return self._image(int(image[1]))
        if self.path == "/state":
            return _json(self.labels.session.state())
        return Reply(HTTPStatus.OK, FILES[self.path][1], self.labels.files[self.path])

    def _check_sender(self) -> None:
        hosts, origins = (self.headers.get_all(name, []) for name in ("Host", "Origin"))
        if len(hosts) != 1 or hosts[0].lower() not in self.labels.hosts:
            raise Refused(HTTPStatus.FORBIDDEN, "this is not the host of this page")
        if any(origin not in self.labels.origins for origin in origins):
            raise Refused(HTTPStatus.FORBIDDEN, "only our own page may ask")

    def _image(self, index: int) -> Reply:
        session = self.labels.session
        if not session.has(index):
            raise Refused(HTTPStatus.NOT_FOUND, f"no sample {index} is shown")
        kept = {"Cache-Control": "private, max-age=86400, immutable"}  # the address names all of it
        return Reply(HTTPStatus.OK, "image/png", session.picture(index), kept)

    def _record(self) -> Reply:
        """Take in the changes that the body asks for; they are on disk when this returns."""
        token = self.headers.get("X-Token", "")
        if not secrets.compare_digest(token.encode(), self.labels.token.encode()):
            reason = "this page is of an earlier session; open the address that was printed"
            raise Refused(HTTPStatus.FORBIDDEN, reason)
        if self.headers.get_content_type() != "application/json":
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the body must be application/json")
        lengths = self.headers.get_all("Content-Length", [])
        if "Transfer-Encoding" in self.headers or not lengths:
            raise Refused(HTTPStatus.LENGTH_REQUIRED, "the body's Content-Length must be given")
        if len(lengths) > 1 or not re.fullmatch("[0-9]{1,10}", lengths[0]):
            raise Refused(HTTPStatus.BAD_REQUEST, "the Content-Length is not a number")
        if int(lengths[0]) > LARGEST_BODY:
            reason = f"a body has at most {LARGEST_BODY} bytes"
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, reason)
        body = self.rfile.read(int(lengths[0]))
        session = self.labels.session
        try:
            changes = session.parse(body)
        except ValueError as error:
            raise Refused(HTTPStatus.BAD_REQUEST, str(error)) from error
        session.store.record(changes)
        return _json({})


def _json(content: Mapping[str, Any]) -> Reply:
    return Reply(HTTPStatus.OK, "application/json", json.dumps(content).encode())
