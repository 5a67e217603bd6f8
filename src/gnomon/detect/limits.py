"""What a text is that the figures of a head were not measured on: it is said, never hidden."""

from __future__ import annotations

from collections.abc import Sequence

from gnomon.detect.corpus import WHOLE_SENTENCES
from gnomon.detect.language import foreign_to_english

MEASURED_SENTENCES = (6, 10)


def outside_measured(sentences: Sequence[str]) -> list[str]:
    """Sentences that say in what way `sentences` are outside what was measured; none if not."""
    notes = foreign_to_english(" ".join(sentences))
    low, high = MEASURED_SENTENCES
    if len(sentences) == 1:
        notes.append(
            "One sentence is too little to tell: the answer is hardly more than the prior."
        )
    elif len(sentences) < low:
        notes.append(
            f"{len(sentences)} sentences are few; the figures are for texts of {low} to {high}."
        )
    elif len(sentences) > high:
        notes.append(
            f"The figures are for texts of {low} to {high} sentences; this one has "
            f"{len(sentences)}, and neither the error rate nor the coverage is known for it."
        )
    return notes


def why_no_writer(sentences: Sequence[str], *, is_mixed: bool) -> str | None:
    """Why it is not said who wrote all of `sentences`; None if it can be said."""
    if is_mixed:
        return "Who wrote the whole text is not said, as it seems to have two writers."
    if len(sentences) < WHOLE_SENTENCES or foreign_to_english(" ".join(sentences)):
        return f"Who wrote the whole text is said of {WHOLE_SENTENCES} English sentences or more."
    return None
