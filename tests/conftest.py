"""Shapes and types are enforced while the tests run; compiling and matrices are kept cheap.

What commands keep between runs goes into a folder of the tests, which all their processes share.
"""

import os
import tempfile

from jaxtyping import install_import_hook

FLAGS = os.environ.get("XLA_FLAGS", "")
if "xla_backend_optimization_level" not in FLAGS:  # compiling is most of the tests' time
    os.environ["XLA_FLAGS"] = f"{FLAGS} --xla_backend_optimization_level=0".strip()
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # threads of several processes hinder each other
if "PYTEST_XDIST_WORKER" not in os.environ:  # workers have the folder of the process above
    CACHE = tempfile.TemporaryDirectory(prefix="ganfail-cache-")  # deleted when this process ends
    os.environ["GANFAIL_CACHE"] = CACHE.name
    os.environ.pop("JAX_COMPILATION_CACHE_DIR", None)

install_import_hook("ganfail_jax", "beartype.beartype")

from ganfail_jax import caches  # noqa: E402  (typed by the hook)

caches.keep_compiled_programs()  # tests make the same programs again and again
