"""A text's sentences, each with its place in the text.

Rules, no model: a full stop, question or exclamation mark (in any of several scripts), what closes
after it, and a space, unless a known abbreviation or an initial stands before it; an empty line or
a list's new line ends a sentence too. Every character but the spaces between sentences, and what
shows nothing there, is in one.

>>> [s.text for s in split_sentences("Dr. Lee left.  It rained!\\n\\nA heading\\n\\nNext day.")]
['Dr. Lee left.', 'It rained!', 'A heading', 'Next day.']
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gnomon.detect.invisible import INVISIBLE, visible

_ABBREVIATIONS = """
    mr mrs ms dr prof sr jr st mt gen col capt lt sgt rev hon gov sen rep pres supt ave blvd rd
inc ltd co corp bros vs etc e.g i.e cf al fig figs no nos vol pp ed eds approx dept est jan
feb mar apr jun jul aug sep sept oct nov dec mon tue wed thu fri sat sun u.s u.k u.n a.m p.m
ph.d tsp tbsp oz lb lbs
"""
# A mark, what closes after it, and then a space, or nothing in scripts that set none. Marks in a
# row are tried from the first one alone: from each, time would grow with their number squared.
_ENDING = re.compile(
    r"(?:(?<![.!?])[.!?]+[\"'”’)\]]*(?=\s|$))"
    r"|(?:[。！？]+[」』”’）]*)"
    r"|(?:(?<![।؟])[।؟]+(?=\s|$))"
)
_PARAGRAPH = re.compile(r"\n[ \t]*\n|\n(?=[ \t]*(?:[-*•]|\d+[.)])[ \t])")
_IS_ABBREVIATION = frozenset(_ABBREVIATIONS.split()).__contains__
_LAST_WORD = re.compile(r"[\w.]+$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """`text` is text[begin:end] of the whole, which has no space at either end."""

    begin: int
    end: int
    text: str


def split_sentences(text: str) -> list[Sentence]:
    """The sentences of `text`, whose line endings may be of any kind; none if it is all spaces."""
    hidden = frozenset("".join(INVISIBLE.findall(text)))
    places = [place for place, character in enumerate(text) if character not in hidden]
    return [
        Sentence(begin=begin, end=end, text=text[begin:end])
        for begin, end in ((places[b], places[e - 1] + 1) for b, e in _spans(visible(text)))
    ]


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Where each sentence of a text begins and ends, in which everything shows."""
    # Of equal length, so that places stay: \r\n is two characters of space.
    lines = text.replace("\r\n", " \n").replace("\r", "\n")
    ends = {match.start() for match in _PARAGRAPH.finditer(lines)}
    ends |= {m.end() for m in _ENDING.finditer(lines) if not _is_abbreviation(lines, m.start())}
    begin = 0
    for end in [*sorted(ends), len(text)]:
        piece = text[begin:end]
        stripped = piece.strip()
        if stripped:
            start = begin + piece.index(stripped)
            yield start, start + len(stripped)
        begin = end


def _is_abbreviation(text: str, mark: int) -> bool:
    """Whether the full stop at `mark` ends an abbreviation or an initial, not a sentence."""
    if text[mark] != ".":
        return False
    before = _LAST_WORD.search(text, max(0, mark - 20), mark)
    word = before.group() if before else ""
    if len(word) == 1 and word.isalpha() and word.isupper() and word != "I":
        return True
    if (
        word.isdigit()
        and len(word) < 3
        and (mark == len(word) or text[mark - len(word) - 1] == "\n")
    ):
        return True  # "1." of a list
    if _IS_ABBREVIATION(word.lower()):
        following = text[mark + 1 : mark + 3].strip()
        return not (word.lower() in {"etc", "a.m", "p.m", "inc", "co"} and following[:1].isupper())
    return False
