"""The compressor end to end on tiny models: what it writes, and that it runs in the engine."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_models_on_disk import tiny_model

from gnomon.compress import CompressOptions, compress, pipeline
from gnomon.compress.compressor import derive_seed, input_site
from gnomon.compress.workers import LocalWorkers
from gnomon.engine import Engine
from gnomon.errors import DataError, OutputError, UsageError
from gnomon.models import open_model
from gnomon.models.forward import forward

ARCHITECTURES = ("llama", "qwen2", "qwen3", "gemma3_text", "mixtral")


@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_compressed_model_runs_as_its_decoded_weights_say(model_type, tmp_path, options):
    model = tiny_model(tmp_path, model_type)
    result = compress(model, tmp_path / "out", options=options)
    compressed = open_model(result.output)
    weights = {name: compressed.weights.load(name) for name in compressed.weights.names()}
    tokens = np.arange(3, 40, dtype=np.int32)
    expected = forward(compressed.config, weights, tokens[None])[0]
    session = Engine(compressed, dense="float32").session(64)
    errors = [
        np.linalg.norm(session.forward(tokens[at : at + 1]) - row) / np.linalg.norm(row)
        for at, row in enumerate(expected)
    ]
    # The engine's activations are int8: where two experts are about as good it may take the other.
    assert np.median(errors) < 0.06


@pytest.mark.parametrize("model_type", ["llama", "mixtral"])
def test_every_linear_layer_of_every_block_is_coded(model_type, tmp_path, options):
    model = tiny_model(tmp_path, model_type)
    result = compress(model, tmp_path / "out", options=options)
    matrices = {
        name
        for name in model.weights.names()
        if name.startswith("model.layers.")
        and len(model.weights.shape(name)) == 2
        and "block_sparse_moe.gate" not in name
    }
    coded = {layer.name: layer for layer in result.layers}
    assert matrices <= set(coded)
    assert {"model.embed_tokens.weight", "lm_head.weight"} == set(coded) - matrices
    for name, layer in coded.items():
        assert layer.shape == model.weights.shape(name)
        assert layer.codec == "trellis"
        assert 0 < layer.relative_error < (0.12 if name in matrices else 0.02)


def test_bits_count_everything(tiny, tmp_path, options):
    result = compress(tiny, tmp_path / "out", options=options)
    size = (tmp_path / "out" / "model.safetensors").stat().st_size
    parameters = sum(np.prod(tiny.weights.shape(name)) for name in tiny.weights.names())
    said = json.loads((tmp_path / "out" / "gnomon.json").read_text())
    assert result.size_bytes == said["size_bytes"] == size
    assert result.bits_per_weight == said["bits_per_weight"] == 8 * size / parameters
    assert said["format"] == "gnomon"
    assert said["version"] == 2
    assert sorted(said["layers"]) == sorted(layer.name for layer in result.layers)
    assert not (tmp_path / "out.partial").exists()


@pytest.mark.parametrize(("codec", "bits"), [("trellis", 3), ("aq", 2), ("int8", 8)])
def test_every_codec_is_written_and_read(codec, bits, tiny, tmp_path, options):
    options = replace(options, codec=codec, bits=bits, head_bits=8)
    result = compress(tiny, tmp_path / "out", options=options)
    compressed = open_model(result.output)
    layer = result.layers[0]
    assert compressed.weights.storage(layer.name) == codec
    original, decoded = tiny.weights.load(layer.name), compressed.weights.load(layer.name)
    limit = {"trellis": 0.35, "aq": 0.6, "int8": 0.02}[codec]
    assert np.linalg.norm(decoded - original) < limit * np.linalg.norm(original)
    logits = Engine(compressed).session(16).forward(np.array([3, 4, 5], np.int32))
    assert np.isfinite(logits).all()


def test_more_bits_leave_less_error(tiny, tmp_path, options):
    errors = [
        np.mean(
            [
                layer.relative_error
                for layer in compress(
                    tiny, tmp_path / f"out{bits}", options=replace(options, bits=bits)
                ).layers
                if "layers" in layer.name
            ]
        )
        for bits in (2, 3, 4)
    ]
    assert errors[0] > 2.5 * errors[1] > 6 * errors[2]


def test_head_bits_16_leaves_the_embedding_alone(tiny, tmp_path, options):
    result = compress(tiny, tmp_path / "out", options=replace(options, head_bits=16))
    compressed = open_model(result.output)
    name = "model.embed_tokens.weight"
    assert name not in {layer.name for layer in result.layers}
    assert np.allclose(compressed.weights.load(name), tiny.weights.load(name), rtol=1e-3)


def test_whoever_may_read_one_file_may_read_all(tiny, tmp_path, options):
    compress(tiny, tmp_path / "out", options=options)
    modes = {path.name: path.stat().st_mode for path in (tmp_path / "out").iterdir()}
    assert modes["model.safetensors"] == modes["config.json"]
    assert len(set(modes.values())) == 1


def test_same_seed_same_bytes_other_seed_others(tiny, tmp_path, options):
    def weights(name, **changes):
        compress(tiny, tmp_path / name, options=replace(options, **changes))
        return (tmp_path / name / "model.safetensors").read_bytes()

    assert weights("one") == weights("two")
    assert weights("three", seed=1) != weights("four")


def test_an_expert_that_saw_nothing_is_still_coded(tmp_path, options):
    model = tiny_model(tmp_path, "mixtral")
    router = "model.layers.0.block_sparse_moe.gate.weight"

    class Biased:
        """The same weights, but the first block's router never prefers the last expert."""

        def __getattr__(self, name):
            return getattr(model.weights, name)

        def load(self, name):
            tensor = model.weights.load(name)
            return np.zeros_like(tensor) if name == router else tensor  # ties: the first two

    result = compress(replace(model, weights=Biased()), tmp_path / "out", options=options)
    assert all(np.isfinite(layer.relative_error) for layer in result.layers)


def test_a_folder_that_is_not_ours_is_left_alone(tiny, tmp_path, options):
    precious = tmp_path / "thesis"
    precious.mkdir()
    (precious / "chapter1.txt").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(OutputError, match=r"not written by gnomon.*another folder"):
            compress(tiny, precious, options=options, overwrite=overwrite)
    assert (precious / "chapter1.txt").read_text() == "years of work"
    with pytest.raises(OutputError, match="is a file"):
        compress(tiny, precious / "chapter1.txt", options=options)


@pytest.mark.parametrize("content", ['{"format": "gnomon"}', "{}", "[]", ""])
def test_a_file_called_gnomon_json_does_not_make_a_folder_ours(content, tiny, tmp_path, options):
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "gnomon.json").write_text(content)
    (folder / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match=r"thesis\.txt"):
        compress(tiny, folder, options=options, overwrite=True)
    (folder / "thesis.txt").unlink()
    if "format" not in content:
        with pytest.raises(OutputError, match="not written by gnomon"):
            compress(tiny, folder, options=options, overwrite=True)


def test_overwriting_leaves_the_neighbours_alone(tiny, tmp_path, options):
    compress(tiny, tmp_path / "out", options=options)
    (tmp_path / "out.old").mkdir()
    (tmp_path / "out.old" / "thesis.txt").write_text("years of work")
    compress(tiny, tmp_path / "out", options=options, overwrite=True)
    assert (tmp_path / "out.old" / "thesis.txt").read_text() == "years of work"


def test_a_link_is_written_through(tiny, tmp_path, options):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    compress(tiny, tmp_path / "link", options=options)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "gnomon.json").exists()
    compress(tiny, tmp_path / "link", options=options, overwrite=True)


@pytest.mark.parametrize("output", [".", ""])
def test_the_current_folder_is_not_pulled_away(output, tiny, tmp_path, options, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(OutputError, match="current folder"):
        compress(tiny, Path(output), options=options)


def test_a_name_too_long_is_said_so(tiny, tmp_path, options):
    with pytest.raises(OutputError, match=r"Cannot write.*too long"):
        compress(tiny, tmp_path / ("x" * 300), options=options)


def test_our_own_folder_is_replaced_only_if_asked(tiny, tmp_path, options):
    compress(tiny, tmp_path / "out", options=options)
    with pytest.raises(OutputError, match="--overwrite"):
        compress(tiny, tmp_path / "out", options=options)
    compress(tiny, tmp_path / "out", options=replace(options, bits=3), overwrite=True)
    assert json.loads((tmp_path / "out" / "gnomon.json").read_text())["options"]["bits"] == 3
    assert {path.name for path in tmp_path.iterdir()} == {
        "out",
        "calibration.txt",
        "tiny-llama.gguf",
    }


def test_compressing_twice_is_refused(tiny, tmp_path, options):
    result = compress(tiny, tmp_path / "out", options=options)
    with pytest.raises(UsageError, match="already compressed"):
        compress(open_model(result.output), tmp_path / "again", options=options)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b" \n\n ", "is empty"),
        (b"the hen", r"holds \d+ tokens; at least 2048 are needed and 4096 are wanted"),
        (b"\xff\xfe\x00t\x00h", "not UTF-8"),
    ],
)
def test_calibration_texts_that_will_not_do(content, message, tiny, tmp_path):
    file = tmp_path / "bad.txt"
    file.write_bytes(content)
    options = CompressOptions(calibration=file, calibration_tokens=4096)
    with pytest.raises(DataError, match=message):
        compress(tiny, tmp_path / "out", options=options)
    assert not (tmp_path / "out").exists()
    with pytest.raises(DataError, match="Cannot read"):
        compress(
            tiny, tmp_path / "out", options=replace(options, calibration=tmp_path / "none.txt")
        )


@pytest.mark.parametrize(
    "wrong",
    [
        {"codec": "zip"},
        {"bits": 5},
        {"codec": "int8", "bits": 2},
        {"head_bits": 5},
        {"calibration_tokens": 0},
        {"seed": -1},
    ],
)
def test_options_that_make_no_sense(wrong):
    with pytest.raises(UsageError, match="expected|not in"):
        CompressOptions(**wrong)


def test_seeds_differ_by_use_and_experts_share_their_input():
    name = "model.layers.3.block_sparse_moe.experts.{}.w1.weight"
    assert input_site(name.format(0)) == input_site(name.format(7))
    assert derive_seed(0, "a") != derive_seed(0, "b") != derive_seed(1, "b")
    assert derive_seed(5, "model.layers.0.mlp.up_proj.weight") == 1653426907


def test_neither_disk_nor_threads_change_the_bytes(tiny, tmp_path, options):
    def weights(name, **how):
        compress(tiny, tmp_path / name, options=options, **how)
        return (tmp_path / name / "model.safetensors").read_bytes()

    expected = weights("memory", workers=LocalWorkers(threads=1))
    assert weights("threads", workers=LocalWorkers(threads=3)) == expected
    assert weights("disk", are_activations_on_disk=True) == expected
    assert not (tmp_path / "disk.partial").exists()


def test_the_time_it_will_take_is_said_first(tiny, tmp_path, options):
    said = []
    compress(tiny, tmp_path / "out", options=options, on_progress=said.append)
    assert said[0].stage == "expected to take"
    assert said[0].detail == "less than a minute"
    assert said[0].is_note


def test_a_doubt_of_the_language_is_said_first(tiny, tmp_path, options, monkeypatch):
    monkeypatch.setattr(pipeline, "doubt_of_language", lambda tokenizer, file: f"{file} is Greek.")
    said = []
    compress(tiny, tmp_path / "out", options=options, on_progress=said.append)
    assert said[0].is_note
    assert said[0].detail == f"{options.calibration} is Greek."
