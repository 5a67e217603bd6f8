"""The head that comes along, with the embedded model, on a text that it has not seen."""

from __future__ import annotations

from gnomon.detect import Detector, load_head
from gnomon.detect.head import DEFAULT_HEAD
from gnomon.models import open_model

TEXT = """\
Our old kitchen clock lost about four minutes a week, and my aunt, who trusted nothing with a
battery, wound it every Sunday after the news. She kept the key behind the tea caddy. Nobody else
was to touch it. When she went into hospital that March it stopped at ten to six, and for a while we
left it so. Then my brother found the key and, without a word to anyone, began to wind it himself.
"""


def test_the_head_fits_the_package():
    head = load_head()
    assert DEFAULT_HEAD.stat().st_size < 2e6
    assert head.coverage == 0.9
    for each in head.calibrations.values():
        assert 0.0 < each.level < 1.0
        assert 0.0 < each.threshold < 1.0
    assert head.facts["data"] == "RoFT"


def test_a_persons_text_is_left_alone():
    found = Detector(open_model(), load_head(), threads=2).detect(TEXT)
    assert len(found.sentences) == 5
    assert found.verdict == "human"
    assert found.probability < 0.5
    assert any("5 sentences are few" in note for note in found.notes)
    assert not any("Read with" in note for note in found.notes)  # the head knows this reader
