"""gnomon: big-model methods on the computer you have.

>>> from gnomon.models import open_model
>>> from gnomon.engine import Engine
>>> engine = Engine(open_model())          # the embedded SmolLM2-135M-Instruct  # doctest: +SKIP
"""

from typing import TYPE_CHECKING

__all__ = ["__version__"]

if TYPE_CHECKING:
    __version__: str
else:

    def __getattr__(name: str) -> str:
        if name == "__version__":
            from importlib.metadata import version  # takes a while to import

            return version("gnomon")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
