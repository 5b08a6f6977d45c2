import jax
import pytest


@pytest.fixture
def float64():
    """Double precision for derivatives and closed forms."""
    with jax.enable_x64(True):
        yield
