"""Shape and type annotations are enforced while the tests run."""

from jaxtyping import install_import_hook

install_import_hook("ganfail_jax", "beartype.beartype")
