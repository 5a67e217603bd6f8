"""A model for the clients that people have: the OpenAI API over HTTP, and a page to look at."""

from gnomon.serve.server import run_server
from gnomon.serve.settings import ServeSettings

__all__ = ["ServeSettings", "run_server"]
