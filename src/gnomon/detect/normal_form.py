"""The form in which a sentence is read: what tells of the tool it went through is taken out.

Sets of human and generated texts differ in traces that say nothing about who wrote them: a style of
quotation marks, a full stop that a splitter lost, a line that starts in lower case since it was cut
there. A detector that is shown them learns them. So every sentence begins with a capital letter,
ends with one mark and has neither quotation marks nor odd spaces.

>>> normal_form(' ``you  ca n\\'t , \\'\\' he said')
"You can't, he said."
"""

from __future__ import annotations

import re
import unicodedata

from gnomon.detect.invisible import visible

# Marks that combine with a letter are put in order among at most so many in a row: the library
# takes time with their number squared. (The limit: Unicode's Stream-Safe Text Format, UAX 15.)
_NORMALIZED_AT_ONCE = re.compile(r"[\w\s!-~]*[^\w\s!-~]{0,30}")
_QUOTES = re.compile("''|``|[\"“”„«»]")
_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "`": "'", "´": "'"})
_DASHES = re.compile(r" ?(?:[–—―]|--+) ?")
_BEFORE_MARK = re.compile(r"\s+([,.;:!?)\]])")
_AFTER_OPENING = re.compile(r"([(\[])\s+")
_CONTRACTIONS = re.compile(r"\b(\w+?) ?(n't|'(?:s|m|re|ve|ll|d|S|M|RE|VE|LL|D))\b")
_NOISE_BEFORE = re.compile(r"^[^\w$£€#(]+")
_NOISE_AFTER = re.compile(r"(?<=[\w)%$£€°])[^\w)%$£€°]+$")
_REPEATED = re.compile(r"([,;:!?])\1+")
_DOTS = re.compile(r"\.(?:\s*\.)+|…")
_SPACES = re.compile(r"\s+")


def normal_form(sentence: str) -> str:
    """`sentence` without traces of typesetting; "" if it holds no letter and no digit."""
    pieces = _NORMALIZED_AT_ONCE.findall(visible(sentence))
    text = "".join(unicodedata.normalize("NFKC", piece) for piece in pieces)
    text = text.translate(_APOSTROPHES)
    hidden = {c for c in set(text) if unicodedata.category(c) in ("Cc", "Cf", "Co", "Zl")}
    text = text.translate(dict.fromkeys(map(ord, hidden), " "))
    text = _SPACES.sub(" ", _QUOTES.sub(" ", text))
    text = _DASHES.sub(" - ", text)
    text = _DOTS.sub("... ", text)
    text = _BEFORE_MARK.sub(r"\1", _AFTER_OPENING.sub(r"\1", _SPACES.sub(" ", text)))
    text = _REPEATED.sub(r"\1", _CONTRACTIONS.sub(r"\1\2", text))
    text = _NOISE_BEFORE.sub("", text.strip())
    noise = _NOISE_AFTER.search(text)
    ending = noise.group() if noise else ""
    text = text[: noise.start()] if noise else text
    if not any(c.isalnum() for c in text):
        return ""
    mark = next((m for m in "?!" if m in ending), ".")
    return text[0].upper() + text[1:] + mark


def bare_form(sentence: str) -> str:
    """The words alone: lower case, no punctuation. What is left when even these are taken away.

    >>> bare_form("Don't ask, he said.")
    "don't ask he said"
    """
    words = re.findall(r"[^\W_]+(?:'[^\W_]+)*", normal_form(sentence).lower())
    return " ".join(words)
