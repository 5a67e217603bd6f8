"""Whether a text is in English, as far as its script and its commonest words can tell.

Every language needs its small words. An English headline or list may have none, so that only those
of another language, or its letters, say that a text is not English.

>>> foreign_to_english("Der Hund und die Katze sind nicht in dem Haus, das wir mit der Tante " * 2)
['The text looks German in part or in whole; only English was measured.']
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

_READ = 20_000  # characters that are looked at
_LEAST_WORDS = 20  # of a text whose language is told
_OTHER_SCRIPT = 0.1  # share of letters
_OTHER_WORDS = 0.06  # share of small words of another language, and at least half of the English
_KINDS = 3  # different ones at least: what is repeated is a name, or an abbreviation
_FOREIGN_LETTERS = 0.15  # share of words with letters beyond ASCII, where hardly any is English
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
_ENGLISH = """
    the of and to a in is that it was i for on with he be as you at his this but had not by she
have from or they my her we all an me so are there were been out if said what who their would
when them no him your one up into then add until
"""
# Hardly any of these is a word of English, too.
_OTHERS = {
    "German": "der und ist nicht das sie ein eine mit dem auf für sich auch von wir dass wie zu",
    "French": "le la les des et est une dans qui pas pour que il je vous nous avec sur sont du",
    "Spanish": "el la los las que en un una es por con para se del como pero su lo muy más",
    "Italian": "il lo la gli che di è un una non per con sono del della nel si come anche più",
    "Portuguese": "os que não um uma é em da dos das com para se mais como por ao seu ele foi",
    "Dutch": "de het een en van ik je niet dat zijn voor maar ook naar hij aan er bij nog te",
    "Polish": "na się nie że jest co jak ale był tym po tak od za przez tylko są już",
    "Turkish": "bir ve bu için çok ile ama gibi daha ne olarak olan sonra kadar değil var mi en",
    "Scandinavian": "och att det som är på av en ett til og ikke jeg med har inte jag han hun",
    "Finnish": "ja ei se että hän oli mutta kun niin ovat myös joka tai minä kuin olen",
    "Czech": "na je že se jsem ale jako by jsou ve tak který bylo už když jeho není také",
    "Romanian": "și în de la cu nu este un pe care din ce sunt mai pentru am să fost lui era",
    "Hungarian": "az és hogy nem egy volt meg de csak már ez mint ha kell még el ki vagy",
    "Indonesian": "yang dan di itu dengan untuk tidak ini dari dalam akan pada juga saya ke ada",
    "Latin": "et est non ad cum ut sed qui quod ex si esse sunt nec enim autem quae",
}


def foreign_to_english(text: str) -> list[str]:
    """One sentence that says what in `text` is not English; none if all of it may be."""
    text = text[:_READ]
    words = _WORD.findall(text.lower())
    script = _other_script([c for c in text if c.isalpha()])
    if script:
        return [f"Some of the text is in another script ({script}); only English was measured."]
    if _are_mixed(words):
        return ["Letters of several scripts stand within words, where English has only Latin ones."]
    if len(words) < _LEAST_WORDS:
        return []
    english = _share(words, _ENGLISH)
    name = max(_OTHERS, key=lambda name: _share(words, _OTHERS[name]))
    share, kinds = _share(words, _OTHERS[name]), set(_OTHERS[name].split()) & set(words)
    if share >= max(_OTHER_WORDS, english / 2) and len(kinds) >= _KINDS:
        return [f"The text looks {name} in part or in whole; only English was measured."]
    beyond = sum(not word.isascii() for word in words) / len(words)
    if english < _OTHER_WORDS / 2 and beyond > _FOREIGN_LETTERS:
        return ["The text does not look like English, and nothing else was measured."]
    return []


def _share(words: Sequence[str], small: str) -> float:
    known = frozenset(small.split())
    return sum(word in known for word in words) / len(words)


def _other_script(letters: Sequence[str]) -> str | None:
    """The commonest script but Latin, if it has its share of the letters."""
    others = Counter(_script(c) for c in letters if not c.isascii())
    del others["LATIN"]
    if others.total() <= _OTHER_SCRIPT * len(letters):
        return None
    return others.most_common(1)[0][0].capitalize()


def _are_mixed(words: Sequence[str]) -> bool:
    """Whether words of four letters or more, and so no units, have Latin letters and others."""
    long = [word for word in words if len(word) >= 4 and not word.isascii()]
    mixed = [word for word in long if len({_script(c) for c in word if c.isalpha()}) > 1]
    return len(mixed) > max(1, len(words) / 100)


def _script(letter: str) -> str:
    return unicodedata.name(letter, "UNKNOWN").split()[0]
