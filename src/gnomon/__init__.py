"""gnomon: big-model methods on the computer you have.

>>> from gnomon.models import open_model
>>> from gnomon.engine import Engine
>>> engine = Engine(open_model())          # the embedded SmolLM2-135M-Instruct  # doctest: +SKIP
"""

from importlib.metadata import version

__version__ = version("gnomon")
__all__ = ["__version__"]
