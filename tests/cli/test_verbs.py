"""What each verb prints, and where: results on stdout, progress on stderr."""

import pytest
from fake_house import ANSWER, EOS, Tokenizer


@pytest.mark.parametrize(
    "arguments",
    [
        ["info", "--tensors"],
        ["compress", "--output", "{folder}/model"],
        ["eval", "--text", "{folder}/text.txt"],
        ["generate", "--prompt", "Why?"],
        ["chat"],
        ["demo", "--output", "{folder}"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_json_is_all_that_stdout_holds(gnomon, house, tmp_path, arguments):
    (tmp_path / "text.txt").write_text("Some words to measure.")
    filled = [argument.replace("{folder}", str(tmp_path)) for argument in arguments]
    run = gnomon(*filled, "--json", stdin=b"Why?\n")
    assert isinstance(run.json, dict)
    assert "model" in run.json or "name" in run.json


def test_info_shows_names_as_they_are(gnomon, house):
    run = gnomon("info", "--tensors")
    assert "[red]Q4_1" in run.stdout
    assert "model.layers.0.self_attn.q_proj.weight" in run.stdout
    assert "llama, 1 layers, 4 heads of 2, 2 of them for keys and values" in run.stdout


def test_info_counts_everything(gnomon, house):
    facts = gnomon("info", "--json").json
    assert facts["parameters"] == 256 * 8 + 8 * 8
    assert facts["bits_per_weight"] == pytest.approx(8 * 5000 / 2112)
    assert facts["storage"]["F16"] == {"tensors": 1, "weights": 2048, "size_bytes": 4096}


def test_eval_states_its_windows(gnomon, house):
    run = gnomon("eval", "--window", "256", "--stride", "128")
    assert "21.440" in run.stdout
    assert "2 windows of 256, stride 128" in run.stdout
    assert "measuring perplexity" in run.stderr


@pytest.mark.parametrize("content", [b"", b"  \n", b"\xff\xfe\x00"])
def test_eval_wants_text(gnomon, house, tmp_path, content):
    (tmp_path / "text.txt").write_bytes(content)
    run = gnomon("eval", "--text", str(tmp_path / "text.txt"))
    assert run.exit_code == 4
    assert "text.txt" in run.stderr
    assert house.opened == []  # no model was read for it


def test_eval_without_the_file(gnomon, house, tmp_path):
    run = gnomon("eval", "--text", str(tmp_path / "none.txt"))
    assert run.exit_code == 4
    assert "No such file" in run.stderr


def test_evals_stride_is_the_window_unless_given(gnomon, house):
    result = gnomon("eval", "--window", "64", "--json").json
    assert (result["window"], result["stride"]) == (64, 64)


def test_eval_refuses_windows_with_gaps(gnomon, house):
    run = gnomon("eval", "--window", "128", "--stride", "256")
    assert run.exit_code == 2
    assert "--stride 256" in run.stderr


def test_compress_hands_its_options_on(gnomon, house, tmp_path):
    folder = tmp_path / "m"
    run = gnomon(
        *("compress", "a.gguf", "-o", str(folder), "--bits", "3", "--seed", "7", "--overwrite")
    )
    assert run.exit_code == 0
    assert str(folder) in run.stdout
    assert "2.500, everything counted" in run.stdout
    [call] = house.compressed
    assert (call["options"].bits, call["options"].seed) == (3, 7)
    assert (call["overwrite"], call["resume"]) == (True, False)
    assert house.opened == ["a.gguf"]


@pytest.mark.parametrize(
    ("size", "size_bytes"),
    [("450MB", 450_000_000), ("429 MiB", 429 * 2**20), ("0.5gb", 500_000_000), ("12345", 12_345)],
)
def test_a_size_is_read_as_people_write_it(size, size_bytes, gnomon, house, tmp_path):
    run = gnomon("compress", "-o", str(tmp_path / "m"), "--size", size)
    assert run.exit_code == 0
    options = house.compressed[0]["options"]
    assert (options.size_bytes, options.bits, options.head_bits) == (size_bytes, None, None)
    assert "2 bits in 1 layers" in run.stdout


@pytest.mark.parametrize("size", ["", "MB", "-3MB", "4 stone", "1e9", "nan"])
def test_what_is_no_size_is_refused(size, gnomon, house, tmp_path):
    run = gnomon("compress", "-o", str(tmp_path / "m"), f"--size={size}")
    assert run.exit_code == 2
    assert "450MB" in run.stderr
    assert house.compressed == []


@pytest.mark.parametrize(("bits", "expected"), [("2", int), ("2.0", int), ("2.3", float)])
def test_whole_bits_are_for_every_layer(bits, expected, gnomon, house, tmp_path):
    gnomon("compress", "-o", str(tmp_path / "m"), "--bits", bits)
    options = house.compressed[0]["options"]
    assert type(options.bits) is expected
    assert options.bits == float(bits)


def test_progress_is_on_stderr_and_can_be_silenced(gnomon, house, tmp_path):
    run = gnomon("compress", "-o", str(tmp_path / "m"))
    assert "compressing 0/2  round 0" in run.stderr
    assert "compressing" not in run.stdout
    assert gnomon("compress", "-o", str(tmp_path / "m"), "--quiet").stderr == ""


def test_resume_and_overwrite_go_together(gnomon, house, tmp_path):
    run = gnomon("compress", "-o", str(tmp_path), "--resume", "--overwrite")
    assert run.exit_code == 0
    assert (house.compressed[0]["resume"], house.compressed[0]["overwrite"]) == (True, True)


def test_generate_streams_text_and_nothing_else(gnomon, house):
    run = gnomon("generate", "--prompt", "Why?")
    assert run.stdout == ANSWER + "\n"
    assert run.stderr == ""


def test_generate_reads_its_prompt_from_stdin(gnomon, house):
    result = gnomon("generate", "--prompt", "-", "--raw", "--json", stdin="Warum? ä".encode()).json
    assert result["prompt"] == "Warum? ä"
    assert result["prompt_tokens"] == len("Warum? ä".encode())
    assert not result["is_chat"]


def test_generate_gives_tokens_with_their_probabilities(gnomon, house):
    result = gnomon("generate", "--prompt", "Why?", "--json").json
    assert result["text"] == ANSWER
    assert result["tokens"] == [*ANSWER.encode(), EOS]
    assert result["logprobs"] == [-0.5] * len(result["tokens"])
    assert result["finish_reason"] == "stop"


def test_generate_stops_at_the_limit(gnomon, house):
    result = gnomon("generate", "--prompt", "Why?", "--json", "--max-tokens", "7").json
    assert result["text"] == ANSWER[:7]
    assert result["finish_reason"] == "length"


def test_a_tokenizer_of_another_model(gnomon, house, monkeypatch):
    monkeypatch.setattr(Tokenizer, "encode", lambda self, text, add_special=True: [1, 256])
    run = gnomon("generate", "--prompt", "Why?")
    assert run.exit_code == 3
    assert "the tokenizer and the model do not fit" in run.stderr


def test_the_seed_that_was_drawn_is_told(gnomon, house):
    result = gnomon("generate", "--prompt", "Why?", "--json").json
    assert house.samplers[0]["seed"] == result["seed"]
    assert gnomon("generate", "--prompt", "Why?", "--json", "--seed", "5").json["seed"] == 5


def test_sampling_that_is_off_is_off(gnomon, house):
    gnomon("generate", "--prompt", "Why?", "--top-k", "0", "--top-p", "1", "--min-p", "0")
    [settings] = house.samplers
    assert (settings["top_k"], settings["top_p"], settings["min_p"]) == (None, None, None)


def test_a_model_without_a_template_continues_the_prompt(gnomon, house):
    house.tokenizer = Tokenizer(chat_template=None)
    assert not gnomon("generate", "--prompt", "Why?", "--json").json["is_chat"]
