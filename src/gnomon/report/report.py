"""`write_report`: the measurements and the layers of one compression as one HTML page.

The page needs nothing but itself: no script, no font, no picture from elsewhere. All text is
escaped. It follows the reader's light or dark mode, prints, and fits a telephone.

>>> write_report(Path("report.html"), model="tiny", measurements=[], layers=[])  # doctest: +SKIP
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from gnomon.report.charts import bits_skyline, bits_strips, block_of, colour_of, error_strips
from gnomon.report.measurement import LayerRow, Measurement, comparison, number
from gnomon.whole_file import whole_file


def render_report(
    *,
    model: str,
    measurements: Sequence[Measurement],
    layers: Sequence[LayerRow],
    settings: Mapping[str, str] | None = None,
    provenance: Mapping[str, str] | None = None,
    prompt: str | None = None,
    answer: str | None = None,
) -> str:
    """The page as text. `measurements` go from the original to the compressed; either may lack."""
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    strips = error_strips(layers)
    blocks = {block for layer in layers if (block := block_of(layer.name)) is not None}
    source = files("gnomon.report").joinpath("report.html.j2").read_text(encoding="utf-8")
    return environment.from_string(source).render(
        model=model,
        headline=_headline(model, measurements),
        findings=_findings(measurements),
        table=comparison(*measurements) if measurements else None,
        strips=strips,
        bits_strips=bits_strips(layers),
        last_block=max(blocks, default=0),
        outside=[
            f"{layer.name.removesuffix('.weight')} {number(layer.relative_error, 4)}"
            for layer in layers
            if block_of(layer.name) is None
        ],
        skyline=bits_skyline(layers) if layers else None,
        legend=_legend(layers),
        layers=[
            {
                "name": layer.name.removesuffix(".weight"),
                "codec": layer.codec,
                "shape": " × ".join(str(side) for side in layer.shape),
                "bits": number(layer.bits_per_weight, 3),
                "error": number(layer.relative_error, 4),
            }
            for layer in layers
        ],
        settings=dict(settings or {}),
        provenance=dict(provenance or {}),
        prompt=prompt,
        answer=answer,
    )


def write_report(
    path: Path,
    *,
    model: str,
    measurements: Sequence[Measurement],
    layers: Sequence[LayerRow],
    settings: Mapping[str, str] | None = None,
    provenance: Mapping[str, str] | None = None,
    prompt: str | None = None,
    answer: str | None = None,
) -> Path:
    """Write the page to `path` in one move and return it. Raises OutputError if it cannot."""
    page = render_report(
        model=model,
        measurements=measurements,
        layers=layers,
        settings=settings,
        provenance=provenance,
        prompt=prompt,
        answer=answer,
    )
    with whole_file(path) as file:
        file.write(page.encode())
    return path


def _headline(model: str, measurements: Sequence[Measurement]) -> str:
    if not measurements:
        return model
    return f"{model} in {number(measurements[-1].bits_per_weight, 2)} bits a weight"


def _findings(measurements: Sequence[Measurement]) -> list[dict[str, str]]:
    """The three figures at the top: what was won, and what it cost."""
    if len(measurements) < 2:
        return []
    before, after = measurements[0], measurements[-1]
    size = _ratio(before.size_bytes, after.size_bytes)
    speed = _ratio(after.tokens_per_second, before.tokens_per_second)
    return [
        {
            "figure": size,
            "what": "smaller",
            "detail": f"{before.size_bytes / 1e6:.1f} MB became {after.size_bytes / 1e6:.1f} MB",
        },
        {
            "figure": speed,
            "what": "the speed",
            "detail": f"{number(before.tokens_per_second, 1)} became "
            f"{number(after.tokens_per_second, 1)} tokens a second",
        },
        {
            "figure": _ratio(after.perplexity, before.perplexity),
            "what": "the perplexity",
            "detail": f"{number(before.perplexity, 2)} became {number(after.perplexity, 2)}; "
            "lower is better",
        },
    ]


def _ratio(over: float, under: float) -> str:
    if not (under > 0 and math.isfinite(over) and math.isfinite(under)):
        return "–"
    return f"{over / under:.2f} ×"


def _legend(layers: Sequence[LayerRow]) -> list[tuple[str, str]]:
    """(colour, what it stands for) of each colour in the chart, once, in the order it appears."""
    names: dict[str, str] = {}
    for layer in layers:
        colour = colour_of(layer.name)
        is_block = block_of(layer.name) is not None
        kind = layer.name.removesuffix(".weight").rsplit(".", 1)[-1]
        names.setdefault(colour, kind if is_block else "embedding and head")
    return list(names.items())
