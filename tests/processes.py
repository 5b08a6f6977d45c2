"""Several processes of a test's own."""

import socket


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def end(process):
    """The exit status, stdout and stderr; never leaves a process behind."""
    try:
        told, errors = process.communicate(timeout=300)
        return process.returncode, told, errors
    finally:
        process.kill()
