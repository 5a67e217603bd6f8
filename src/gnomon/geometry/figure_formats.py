"""A drawing as SVG and as TikZ."""

from __future__ import annotations

from html import escape

from gnomon.geometry.drawing import HEIGHT, WIDTH, Drawing
from gnomon.geometry.wording import label

_STYLE = (
    ".segment{stroke:#334155;stroke-width:1.3}.circle{fill:none;stroke:#64748b;stroke-width:1.2}"
    ".added{stroke-dasharray:5 4}.point{fill:#0f172a}.point.added{fill:#b45309}"
    "text{font:italic 16px Georgia,serif;text-anchor:middle;dominant-baseline:central;"
    "fill:#0f172a;paint-order:stroke;stroke:#fff;stroke-width:3px}"
)


def to_svg(drawing: Drawing) -> str:
    """A picture of its own, white behind the lines."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}">',
        f"<style>{_STYLE}</style>",
        f'<rect width="{WIDTH:.0f}" height="{HEIGHT:.0f}" fill="#fff"/>',
    ]
    for by in drawing.circles:
        centre, radius = drawing.circle(by)
        added = " added" if set(by) & set(drawing.added) else ""
        parts.append(f'<circle class="circle{added}" {_xy("c", centre)} r="{radius:.2f}"/>')
    for a, b in drawing.segments:
        added = " added" if {a, b} & set(drawing.added) else ""
        ends = f"{_xy('', drawing.points[a], '1')} {_xy('', drawing.points[b], '2')}"
        parts.append(f'<line class="segment{added}" {ends}/>')
    for point, place in drawing.points.items():
        added = " added" if point in drawing.added else ""
        parts.append(f'<circle class="point{added}" {_xy("c", place)} r="3"/>')
        spot = _xy("", drawing.labels[point])
        parts.append(f"<text {spot}>{escape(label(point))}</text>")
    return "\n".join([*parts, "</svg>"])


def _xy(prefix: str, place: complex, suffix: str = "") -> str:
    x, y = place.real, HEIGHT - place.imag
    return f'{prefix}x{suffix}="{x:.2f}" {prefix}y{suffix}="{y:.2f}"'


def to_tikz(drawing: Drawing) -> str:
    """A tikzpicture, ten centimetres wide; needs no library beyond TikZ."""
    unit = WIDTH / 10
    lines = [r"\begin{tikzpicture}[line join=round]"]
    for point, place in drawing.points.items():
        lines.append(rf"  \coordinate ({_node(point)}) at {_place(place / unit)};")
    for by in drawing.circles:
        centre, radius = drawing.circle(by)
        style = "dashed" if set(by) & set(drawing.added) else "gray"
        lines.append(rf"  \draw[{style}] {_place(centre / unit)} circle ({radius / unit:.4f});")
    for a, b in drawing.segments:
        style = "[dashed] " if {a, b} & set(drawing.added) else ""
        lines.append(rf"  \draw {style}({_node(a)}) -- ({_node(b)});")
    for point in drawing.points:
        spot = _place(drawing.labels[point] / unit)
        lines.append(
            rf"  \fill ({_node(point)}) circle (1.3pt); \node at {spot} {{${tex_label(point)}$}};"
        )
    return "\n".join([*lines, r"\end{tikzpicture}"])


def tex_label(point: str) -> str:
    """A point's name in mathematics: A_{1}."""
    name = label(point)
    letters = name.rstrip("₀₁₂₃₄₅₆₇₈₉'")
    digits = name[len(letters) :].translate(str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789"))
    primes = digits.lstrip("0123456789")
    digits = digits[: len(digits) - len(primes)]
    return letters.replace("_", r"\_") + (f"_{{{digits}}}" if digits else "") + primes


def _node(point: str) -> str:
    return "P" + point.replace("'", "prime").replace("_", "-")


def _place(place: complex) -> str:
    return f"({place.real:.4f},{place.imag:.4f})"
