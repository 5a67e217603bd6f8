"""A proof as a LaTeX document with its figure."""

from __future__ import annotations

from gnomon.geometry.drawing import Drawing
from gnomon.geometry.explanation import ANGLES, Explanation
from gnomon.geometry.figure_formats import to_tikz

_SYMBOLS = {
    "∠": r"$\angle$", "∥": r"$\parallel$", "⊥": r"$\perp$", "°": r"$^\circ$",
    "_": r"\_", "&": r"\&", "%": r"\%", "#": r"\#",
    **{digit: f"$_{number}$" for number, digit in enumerate("₀₁₂₃₄₅₆₇₈₉")},
}  # fmt: skip
_LONGEST_REASON = 90  # characters that fit on a line of their own

# A reason stands at the right: on the step's line, or on the next where there is no room
# (Knuth, The TeXbook, chapter 14, on signing a paragraph).
_REASON = (
    r"\newcommand{\reason}[1]{{\unskip\nobreak\hfil\penalty50\hskip1.5em\null\nobreak\hfil"
    r"\small#1\parfillskip=0pt\finalhyphendemerits=0\par}}"
)


def to_latex(explanation: Explanation, drawing: Drawing) -> str:
    """A document that pdflatex sets as it is."""
    lines = [
        r"\documentclass[11pt]{article}",
        r"\usepackage[utf8]{inputenc}",
        r"\usepackage[T1]{fontenc}",
        r"\usepackage[margin=2.4cm]{geometry}",
        r"\usepackage{amssymb,tikz}",
        _REASON,
        r"\setlength{\parindent}{0pt}",
        r"\begin{document}",
        *(_tex(sentence) for sentence in explanation.problem),
        "",
        rf"\textbf{{To show:}} {_tex(explanation.goal)}.",
        "",
        r"\begin{center}",
        to_tikz(drawing),
        r"\end{center}",
        "",
        *([_tex(ANGLES)] if explanation.has_angles else []),
        r"\begin{description}\itemsep0pt",
    ]
    for line in explanation.lines:
        if line.point:
            lines.append(rf"\item[\ ] \textit{{{_tex(line.text)}}} ({_tex(line.reason)})")
            continue
        number = f"{line.number}." if line.number.isdigit() else f"({line.number})"
        sources = f", from {', '.join(line.uses)}" if line.uses else ""
        why = f"[{_tex(line.reason)}{sources}]"
        if len(line.reason) + len(sources) < _LONGEST_REASON:
            why = rf"\mbox{{{why}}}"
        lines.append(rf"\item[{number}] {_tex(line.text)} \reason{{{why}}}")
    lines.append(r"\end{description}")
    if explanation.unused:
        lines.append(f"Not needed: {_tex('; '.join(explanation.unused))}.")
    if explanation.note:
        lines += ["", _tex(explanation.note)]
    return "\n".join([*lines, r"\end{document}"]) + "\n"


def _tex(text: str) -> str:
    return "".join(_SYMBOLS.get(character, character) for character in text)
