"""At which word a machine began: the head is asked about the text with a sentence cut in two.

The boundary model takes pieces of any length, so that a sentence in which a machine took over can
be given to it as two. Each word of the sentence that was found and of the one before it is tried
(half of a sentence in which a machine took over is a person's, so that the next one is as often
found); the probability of a boundary there is what the model gives the place between the two parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gnomon.detect.head import Head
from gnomon.detect.reader import Reader
from gnomon.detect.words import words_before

_CONTEXT = 8  # sentences before, which are read once more
_LEAST = 2  # words of a part: fewer say nothing
_MOST = 100  # places in a sentence that are tried


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A place within a text: word `word` of sentence `sentence` as it was given, from 0."""

    sentence: int
    word: int
    probability: float  # of this very word, among those that were tried


def find_cut(
    head: Head,
    reader: Reader,
    *,
    given: Sequence[str],
    normal: Sequence[str],
    features: np.ndarray,
    boundary: int,
) -> Cut:
    """The first word that is a machine's, in sentence `boundary` or the one before: the one that
    the machine is as likely to have begun before as after. `given` and `normal`
    are the sentences in both forms, `features` [sentences, features] what the head makes of them.
    """
    near = range(max(boundary - 1, 0), boundary + 1)
    context = list(normal[max(near.start - _CONTEXT, 0) : near.start])
    pieces = [*context]
    whole = head.boundary.posterior(features)
    begins, offsets = {}, {}  # of each sentence: its first piece, and its pieces' first words
    for number in near:
        words = normal[number].split()
        step = -(-len(words) // _MOST)
        begins[number], offsets[number] = len(pieces), range(0, len(words), step)
        pieces += [" ".join(words[i : i + step]) for i in offsets[number]]
    reading = reader.read(pieces)
    places: list[tuple[int, int]] = []
    chances: list[float] = []
    for number in near:
        words, begin = normal[number].split(), begins[number]
        before = [*range(len(context)), *(begins[n] for n in near if n <= number)]
        texts = context + [normal[n] for n in near if n < number]
        for piece, word in enumerate(offsets[number]):
            if word == 0:
                places.append((number, 0))
                chances.append(whole[number])
            elif _LEAST <= word <= len(words) - _LEAST:
                parts = reading.joined([*before, begin + piece], begin + len(offsets[number]))
                two = [" ".join(words[:word]), " ".join(words[word:])]
                halves = head.features(parts, texts + two)[-2:]
                rows = np.concatenate([features[:number], halves, features[number + 1 :]])
                places.append((number, word))
                chances.append(head.boundary.posterior(rows)[number + 1])
    shares = np.array(chances) / max(sum(chances), 1e-300)
    best = min(int(np.searchsorted(np.cumsum(shares), 0.5)), shares.size - 1)
    number, word = places[best]
    return Cut(
        sentence=number,
        word=words_before(given[number], normal[number], word),
        probability=float(shares[best]),
    )
