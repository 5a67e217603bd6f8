"""The bundled calibration: plain text, and conversations in the model's own template."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from gnomon.compress.calibration import calibration_sequences, doubt_of_language
from gnomon.data import conversations
from gnomon.models import open_model, require_tokenizer


@dataclass
class Letters:
    """A tokenizer whose tokens are characters."""

    chat_template: str | None

    def encode(self, text, *, add_special):
        assert not add_special
        return [ord(letter) for letter in text]

    def apply_chat_template(self, messages, *, add_generation_prompt):
        assert not add_generation_prompt
        return "".join(f"\x01{message['content']}\x02" for message in messages)


def sequences(template, **changes):
    asked = {"file": None, "tokens": 8192, "max_context": 4096} | changes
    return calibration_sequences(Letters(template), **asked)


def test_a_chat_model_sees_its_template_in_a_quarter_of_the_tokens():
    ids = sequences("template")
    assert ids.shape == (16, 512)
    has_turns = np.any(ids == 1, axis=1)
    assert has_turns.tolist() == [False] * 12 + [True] * 4


def test_text_fills_in_where_there_are_too_few_chats():
    ids = sequences("template", tokens=204_800)
    assert ids.shape == (400, 512)
    assert 0 < np.count_nonzero(np.any(ids == 1, axis=1)) < 100


def test_a_model_without_template_sees_text_alone():
    ids = sequences(None)
    assert ids.shape == (16, 512)
    assert not np.any(ids == 1)


def test_a_file_is_all_there_is(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("abc " * 3000)
    ids = sequences("template", file=path)
    assert ids.shape == (16, 512)
    assert set(np.unique(ids)) == {ord(letter) for letter in "abc "}


def test_a_short_context_shortens_the_sequences():
    assert sequences("template", max_context=128).shape == (64, 128)


def test_few_tokens_are_text_first():
    assert sequences("template", tokens=600, max_context=512).shape == (1, 512)


def test_conversations_are_questions_and_answers():
    chats = conversations()
    assert len(chats) > 50
    for question, answer in chats:
        assert (question["role"], answer["role"]) == ("user", "assistant")
        assert question["content"]
        assert answer["content"]


@pytest.mark.parametrize(
    ("text", "is_doubted"),
    [
        ("Η γνώμη του ανθρώπου είναι συχνά διαφορετική από την πραγματικότητα.", True),
        ("Мнение людей часто отличается от действительности.", True),
        ("人们的看法常常与现实不同。", True),
        ("Die Meinung des Menschen unterscheidet sich häufig von der Wirklichkeit.", True),
        ("What people think is often not the same as what is there.", False),
        (Path(__file__).read_text(), False),
        ("0.3141, 0.5926, 0.5358", False),
    ],
)
def test_words_that_the_tokenizer_spells_are_doubted(text, is_doubted, tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(text)
    doubt = doubt_of_language(require_tokenizer(open_model()), path)
    assert (doubt is not None) == is_doubted


def test_the_bundled_text_is_not_doubted():
    assert doubt_of_language(Letters(None), None) is None
