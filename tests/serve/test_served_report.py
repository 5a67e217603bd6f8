"""What the report's page is told of a model."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from gnomon.models import open_model
from gnomon.serve.report import model_report


@pytest.fixture(scope="module")
def model(tiny):
    return open_model(tiny)


def test_sizes_add_up(model):
    report = model_report(model)
    assert sum(row["size_bytes"] for row in report["storage"]) <= report["size_bytes"]
    assert sum(row["weights"] for row in report["storage"]) == report["parameters"]
    assert report["blocks"] == 2
    assert report["errors"] == []  # nobody knows of any
    assert {layer["relative_error"] for layer in report["layers"]} == {None}


def test_a_compressed_model_tells_its_errors_and_no_path(model):
    names = [name for name in model.weights.names() if name.endswith("_proj.weight")]
    layers = {
        name: {"codec": "trellis", "bits_per_weight": 2.0 + i % 3, "relative_error": 0.01 * i}
        for i, name in enumerate(names, start=1)
    }
    options = {"codec": "trellis", "bits": 2, "calibration": "texts/private.txt"}
    provenance = {"gnomon_version": "0.1.0", "options": options, "layers": layers}
    report = model_report(replace(model, provenance=provenance))
    assert [strip["kind"] for strip in report["errors"]][:2] == ["q_proj", "k_proj"]
    assert all(len(strip["bars"]) == 2 for strip in report["errors"])
    assert len(report["bits"]) == len(report["errors"])
    assert report["made"] == {"codec": "trellis", "bits": 2, "gnomon_version": "0.1.0"}
    assert "private" not in json.dumps(report, allow_nan=False)
