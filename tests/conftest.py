"""Shapes and types are enforced while the tests run; compiling and matrices are kept cheap."""

import os

from jaxtyping import install_import_hook

FLAGS = os.environ.get("XLA_FLAGS", "")
if "xla_backend_optimization_level" not in FLAGS:  # compiling is most of the tests' time
    os.environ["XLA_FLAGS"] = f"{FLAGS} --xla_backend_optimization_level=0".strip()
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # threads of several processes hinder each other

install_import_hook("ganfail_jax", "beartype.beartype")
