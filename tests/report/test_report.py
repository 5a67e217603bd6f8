"""The report: complete in itself, safe with any name, sound numbers, readable without eyes."""

import math
import re
from dataclasses import dataclass
from html.parser import HTMLParser

import pytest

from gnomon.errors import OutputError
from gnomon.report import Measurement, comparison, render_report, write_report
from gnomon.report.charts import HEIGHT, WIDTH, bits_skyline, bits_strips, error_strips


@dataclass(frozen=True)
class Layer:
    name: str
    codec: str = "trellis"
    shape: tuple[int, int] = (64, 32)
    bits_per_weight: float = 2.0
    relative_error: float = 0.02


KINDS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
LAYERS = [
    Layer("model.embed_tokens.weight", shape=(512, 32), bits_per_weight=4.0, relative_error=0.001),
    *(
        Layer(f"model.layers.{block}.part.{kind}.weight", relative_error=0.01 * (block + 1))
        for block in range(3)
        for kind in KINDS
    ),
]
BEFORE = Measurement(
    name="original",
    size_bytes=98_362_432,
    bits_per_weight=5.851,
    perplexity=21.44,
    tokens_per_second=60.0,
    seconds=9.0,
)
AFTER = Measurement(
    name="compressed",
    size_bytes=41_000_000,
    bits_per_weight=2.44,
    perplexity=40.7,
    tokens_per_second=120.0,
    seconds=180.0,
)


def page(**changes) -> str:
    given = {"model": "tiny", "measurements": [BEFORE, AFTER], "layers": LAYERS} | changes
    return render_report(**given)


class Elements(HTMLParser):
    """All start tags with their attributes, and a check that tags close in order."""

    VOID = frozenset({"meta", "br", "path", "link", "img"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def test_the_page_loads_nothing():
    text = page(answer="See https://example.org", prompt="?")
    elements = Elements(text)
    for tag in ("script", "link", "img", "iframe", "object", "base"):
        assert elements.all(tag) == []
    for _, attributes in elements.found:
        assert not attributes.keys() & {"src", "href", "srcset", "action"}
        assert not any(name.startswith("on") for name in attributes)
    style = text[text.index("<style>") : text.index("</style>")]
    assert not re.search(r"url\(|@import|@font-face|https?:", style)


def test_names_are_text_and_never_markup():
    evil = '"><script>alert(1)</script>'
    text = page(
        model=evil,
        layers=[Layer(f"model.layers.0.{evil}.weight"), Layer(evil)],
        settings={evil: evil},
        provenance={evil: evil},
        prompt=evil,
        answer=evil,
    )
    assert "<script" not in text
    assert Elements(text).all("script") == []


def test_every_bar_is_finite_and_inside():
    layers = [*LAYERS, Layer("model.layers.1.part.q_proj2.weight", relative_error=math.nan)]
    bars = [bar for bar in Elements(page(layers=layers)).all("rect") if "x" in bar]
    assert len(bars) == 21 + 23
    for bar in bars:
        x, y, width, height = (float(bar[side] or "nan") for side in ("x", "y", "width", "height"))
        assert 0 <= x <= x + width <= WIDTH + 0.01
        assert 0 <= y <= y + height <= HEIGHT + 0.01
    assert not re.search(r"\b(nan|inf)\b", page(layers=layers).lower())


def test_error_bars_are_proportional():
    strips = error_strips(LAYERS)
    assert [strip.kind for strip in strips] == list(KINDS)
    assert len({strip.colour for strip in strips}) == 7
    heights = [bar.height for bar in strips[0].bars]
    assert heights == pytest.approx([HEIGHT / 3, 2 * HEIGHT / 3, HEIGHT], abs=0.01)
    assert strips[0].mean == "0.0200"


def test_experts_of_a_block_are_one_bar():
    layers = [
        Layer(f"model.layers.0.mlp.experts.{expert}.w1.weight", relative_error=error)
        for expert, error in enumerate((0.01, 0.03))
    ]
    [strip] = error_strips(layers)
    assert len(strip.bars) == 1
    assert strip.mean == "0.0200"


def test_bits_have_strips_where_they_were_spread():
    layers = [
        Layer(f"model.layers.{block}.part.{kind}.weight", bits_per_weight=bits + 0.01)
        for block, widths in enumerate(((2, 4), (3, 2)))
        for kind, bits in zip(("q_proj", "down_proj"), widths, strict=True)
    ]
    first, second = bits_strips(layers)
    assert [bar.height for bar in first.bars] == pytest.approx(
        [HEIGHT * 2.01 / 4.01, HEIGHT * 3.01 / 4.01], abs=0.01
    )
    assert second.mean == "3.01"
    assert "bits a weight 3.01 on average over 2 blocks, highest in block 0" in second.summary
    text = page(layers=layers)
    assert "Which layers got more bits" in text
    assert second.summary in text


def test_bits_that_are_all_alike_have_none():
    assert bits_strips(LAYERS) == ()
    assert "Which layers got more bits" not in page()


def test_the_area_of_the_skyline_is_the_file():
    bars = bits_skyline(LAYERS).bars
    areas = [(bar.width - 0.5) * bar.height for bar in bars]
    # The embedding has 8 times the weights of a layer and twice its bits.
    assert areas[0] / areas[1] == pytest.approx(16, rel=0.01)


def test_tables_can_be_read_aloud():
    elements = Elements(page())
    assert len(elements.all("table")) == len(elements.all("caption")) == 2
    assert all(cell.get("scope") in ("col", "row") for cell in elements.all("th"))
    drawings = [svg for svg in elements.all("svg") if "aria-hidden" not in svg]
    assert len(drawings) == 8
    assert all(svg["role"] == "img" and svg["aria-label"] for svg in drawings)
    assert elements.all("html") == [{"lang": "en"}]


def test_the_page_follows_light_dark_and_print():
    text = page()
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
    assert "width=device-width" in text


def test_what_is_missing_is_left_out():
    text = page(measurements=[], layers=[])
    assert "Measured" not in text
    assert "Every layer" not in text
    Elements(text)


def test_comparison_shows_a_dash_for_no_number():
    broken = Measurement(
        name="broken",
        size_bytes=1,
        bits_per_weight=1.0,
        perplexity=math.inf,
        tokens_per_second=math.nan,
        seconds=1.0,
    )
    table = comparison(BEFORE, broken)
    assert table.columns == ("", "original", "broken")
    assert {row[0]: row[2] for row in table.rows}["Perplexity"] == "–"
    Elements(page(measurements=[BEFORE, broken]))


def test_write_report_replaces_in_one_move(tmp_path):
    path = tmp_path / "new" / "report.html"
    for _ in range(2):
        assert write_report(path, model="tiny", measurements=[BEFORE, AFTER], layers=LAYERS) == path
    assert [entry.name for entry in path.parent.iterdir()] == ["report.html"]
    assert path.read_text(encoding="utf-8") == page()


def test_a_report_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written"):
        write_report(tmp_path / "file" / "r.html", model="tiny", measurements=[], layers=[])
