"""The demonstration from end to end, on the false model."""

import json

from fake_house import ANSWER


def test_demo_prints_a_table_and_an_answer_and_leaves_its_files(gnomon, house, tmp_path):
    run = gnomon("demo", "--output", str(tmp_path))
    assert run.exit_code == 0, run.stderr
    for word in ("original", "compressed", "Perplexity", "21.44", "5,000", ANSWER):
        assert word in run.stdout
    assert "measuring the original" in run.stderr
    assert "compressing" in run.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "demo.json",
        "report.html",
        "smollm2-2bit",
    ]
    result = json.loads((tmp_path / "demo.json").read_text())
    assert result["original"]["perplexity"] == 21.44
    assert result["answer"] == ANSWER
    assert result["evaluation"]["window"] == 512


def test_demo_runs_twice(gnomon, house, tmp_path):
    assert gnomon("demo", "--output", str(tmp_path)).exit_code == 0
    assert gnomon("demo", "--output", str(tmp_path)).exit_code == 0
    assert all(call["overwrite"] for call in house.compressed)


def test_demo_asks_what_it_is_told(gnomon, house, tmp_path):
    result = gnomon("demo", "--output", str(tmp_path), "--prompt", "Wherefore?", "--json").json
    assert result["prompt"] == "Wherefore?"
    assert "Wherefore?" in (tmp_path / "report.html").read_text()


def test_demo_replaces_nobody_elses_report(gnomon, house, tmp_path):
    (tmp_path / "report.html").write_text("my thesis")
    run = gnomon("demo", "--output", str(tmp_path))
    assert run.exit_code == 5
    assert (tmp_path / "report.html").read_text() == "my thesis"
    assert house.compressed == []
