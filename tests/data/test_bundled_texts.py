"""The texts that travel with the package, and the licence that must travel with them."""

from importlib.resources import files

from gnomon.data import calibration_text, evaluation_text


def test_the_licence_is_beside_the_texts():
    licence = files("gnomon.data").joinpath("LICENSE.md").read_text(encoding="utf-8")
    for needed in ("CC BY-SA 3.0", "1609.07843", "calibration.txt", "evaluation.txt"):
        assert needed in licence


def test_the_licence_says_truly_what_was_cut():
    licence = files("gnomon.data").joinpath("LICENSE.md").read_text(encoding="utf-8")
    whole, slice_ = calibration_text(), evaluation_text()
    assert f"all {whole.count(chr(10)):,} lines, {len(whole.encode()):,} bytes" in licence
    assert f"first {slice_.count(chr(10)):,} lines: {len(slice_.encode()):,} of" in licence


def test_nothing_is_measured_on_what_it_was_calibrated_with():
    def long_lines(text: str) -> set[str]:
        return {line for line in text.splitlines() if len(line) > 80}

    assert long_lines(evaluation_text())
    assert not long_lines(evaluation_text()) & long_lines(calibration_text())


def test_evaluation_has_room_for_24_windows_of_512():
    # A token of English is four characters or so; three is a safe guess.
    assert len(evaluation_text()) > 24 * 512 * 3
