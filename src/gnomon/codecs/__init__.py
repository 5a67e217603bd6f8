"""Weight codecs: how a matrix becomes few bits, and back. `CODECS` is the table of them."""

from gnomon.codecs.codec import CODECS, Codec, decode
from gnomon.codecs.encoded import EncodedWeight

__all__ = ["CODECS", "Codec", "EncodedWeight", "decode"]
