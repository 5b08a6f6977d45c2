"""Images without the 256 levels of a viewed one."""

import pytest

from ganfail_jax.analysis import outputs


@pytest.fixture(scope="module")
def unrounded():
    """Images as the generator makes them, for a whole module: for closed forms, and for the tiny
    generator, of whose few pixels one level alone turns an output."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outputs, "as_viewed", lambda images: images)
        yield
