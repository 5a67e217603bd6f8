"""Sentences, their normal form, what lies outside the figures."""

from __future__ import annotations

import time
import unicodedata

import numpy as np
import pytest
from languages import FOREIGN, UNUSUAL

from gnomon.detect.invisible import visible
from gnomon.detect.language import foreign_to_english
from gnomon.detect.limits import outside_measured
from gnomon.detect.normal_form import bare_form, normal_form
from gnomon.detect.sentences import split_sentences
from gnomon.detect.surface import SURFACE_FEATURES, surface_features
from gnomon.detect.words import words_before


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Mr. J. Smith of the U.S. Army left at 5 p.m. sharp.", None),
        ('"Go," he said. "Now!" She went.', ['"Go," he said.', '"Now!"', "She went."]),
        ("First line\r\nof one.\r\rSecond. ", ["First line\r\nof one.", "Second."]),
        ("It cost 3.50 in all. Yes.", ["It cost 3.50 in all.", "Yes."]),
        ("Buy:\n- eggs\n- milk\n", ["Buy:", "- eggs", "- milk"]),
        ("これは文です。次の文。", ["これは文です。", "次の文。"]),
        ("no mark at all", None),
        (" \n\t ", []),
        ("Wait... What?!", ["Wait...", "What?!"]),
    ],
)
def test_sentences(text: str, sentences: list[str] | None):
    found = split_sentences(text)
    assert [s.text for s in found] == ([text] if sentences is None else sentences)
    assert all(text[s.begin : s.end] == s.text for s in found)


@pytest.mark.parametrize(
    "form",
    [
        "He said, Don't go - it's late.",
        "he said, \"Don’t go—it's late.",
        " ``He said , Do n't go -- it 's late''",
        "\"He said, Don't go – it's late..”",
        ", he said,  don't go\u00a0— it's late",
    ],
)
def test_traces_of_typesetting_are_gone(form: str):
    assert normal_form(form).lower() == "he said, don't go - it's late."
    assert normal_form(form)[0] == "H"


def test_normal_form_is_its_own():
    for text in ("Was it? Yes!", "A (small) thing.", "$5 is 50 % off.", "3.5 km"):
        assert normal_form(normal_form(text)) == normal_form(text)
    assert normal_form("What?!") == "What?"
    assert normal_form(' "*** ') == ""
    assert bare_form("“Don’t ask,” he said!") == "don't ask he said"


@pytest.mark.parametrize(
    "text",
    [
        "Hi" + "." * 50_000 + "x ends here. Yes.",
        "نعم" + "؟" * 50_000 + "x",
        "Hi" + "」" * 50_000 + "x",
        "Hi" + "-=;" * 20_000 + "x",
        "Hi" + " " * 50_000 + "x",
        "(" * 50_000,
        "e" + "\u0301\u0316" * 25_000 + "x",
    ],
    ids=["dots", "question marks", "brackets", "symbols", "blanks", "openings", "accents"],
)
def test_time_grows_with_the_length_alone(text: str):
    start_s = time.process_time()
    for sentence in split_sentences(text):
        normal_form(sentence.text)
    assert time.process_time() - start_s < 1


def test_pieces_are_normalized_as_the_whole():
    for text in ("E\u0316\u0301te\u0301a", "か\u3099ｶﾞa", "½" + "★" * 40 + "각a", "ক\u09c7\u09bea"):
        assert normal_form(text) == unicodedata.normalize("NFKC", text) + "."


HIDDEN = ("\u00ad", "\u200b", "\u200d", "\u2060", "\ufeff", "\u202e", "\u3164", "\U000e0041")
PLAIN = "Mr. Lee left.  It rained all day! Was it late? Nobody came."


@pytest.mark.parametrize("hidden", HIDDEN, ids=lambda c: f"U+{ord(c):04X}")
def test_what_shows_nothing_changes_nothing(hidden: str):
    woven = hidden + hidden.join(PLAIN) + hidden
    plain, found = split_sentences(PLAIN), split_sentences(woven)
    assert [visible(s.text) for s in found] == [s.text for s in plain]
    assert all(woven[s.begin : s.end] == s.text for s in found)
    assert [normal_form(s.text) for s in found] == [normal_form(s.text) for s in plain]
    np.testing.assert_array_equal(
        surface_features([s.text for s in found]), surface_features([s.text for s in plain])
    )
    assert split_sentences(hidden + " " + hidden) == []
    assert normal_form(hidden) == ""


@pytest.mark.parametrize("hidden", HIDDEN, ids=lambda c: f"U+{ord(c):04X}")
def test_words_are_found_among_what_shows_nothing(hidden: str):
    plain = "He did  n't - go home."
    form = normal_form(plain)
    for given in (hidden.join(plain), f"{hidden} He {hidden} did  n't {hidden} - go home."):
        assert normal_form(given) == form
        found = [words_before(given, form, word) for word in range(len(form.split()))]
        words = [visible(given.split()[word]) for word in found]
        assert words == ["He", "did", "go", "go", "home."]


def test_surface_sees_what_normal_form_takes_away():
    clean, dirty = surface_features(["He left."]), surface_features(["he left"])
    ends = SURFACE_FEATURES.index("ends with a mark")
    assert (clean[0, ends], dirty[0, ends]) == (1, 0)
    assert normal_form("he left") == normal_form("He left.")


def test_what_was_not_measured_is_said():
    english = ["He said that it was the best of all the days in his life."] * 8
    assert outside_measured(english) == []
    assert "One sentence" in outside_measured(english[:1])[0]
    assert "12 sentences" not in " ".join(outside_measured(english))
    assert "12" in outside_measured(english + english[:4])[0]
    assert "few" in outside_measured(english[:3])[0]
    assert "Cyrillic" in outside_measured(["Он сказал, что это был лучший день."] * 8)[0]


@pytest.mark.parametrize("language", FOREIGN)
def test_other_languages_are_noticed(language: str):
    (note, *_) = outside_measured(split_as_read(FOREIGN[language]))
    assert ("like English" if language == "unknown" else language) in note


@pytest.mark.parametrize("kind", UNUSUAL)
def test_english_of_unusual_kinds_is_not_called_foreign(kind: str):
    assert foreign_to_english(" ".join(split_as_read(UNUSUAL[kind]))) == []


def test_scripts_that_are_mixed_are_noticed():
    english = "He said that it was the best of all the days in his life, and so it was for her."
    woven = english.replace("a", "\u0430").replace(
        "e", "\u0435"
    )  # Cyrillic letters that look alike
    assert (
        "within words"
        in foreign_to_english(english.replace("best", "bеst").replace("life", "lifе"))[0]
    )
    assert foreign_to_english(woven) != []
    assert "Cyrillic" in foreign_to_english(english + " Он так и сказал ей вчера.")[0]
    vietnamese = (
        "Anh ấy nói rằng đó là ngày đẹp nhất trong đời và anh sẽ không bao giờ quên được nó"
    )
    assert "English" in foreign_to_english(vietnamese)[0]
    assert foreign_to_english("Sie sagte nichts.") == []  # too few words to tell


def split_as_read(text: str) -> list[str]:
    return [normal_form(sentence.text) for sentence in split_sentences(text)]
