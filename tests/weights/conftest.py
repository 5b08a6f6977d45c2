"""What tests of several readers share."""

import pytest


@pytest.fixture
def write(tmp_path):
    def write(raw):
        path = tmp_path / "network.pkl"
        path.write_bytes(raw)
        return path

    return write
