"""GeoGebra files: the construction becomes a problem, a relation between its objects the goal.

A `.ggb` file is a zip archive with a `geogebra.xml`. What is read: points (free, on an object,
where two objects meet), lines, rays and segments through two points, parallels, perpendiculars,
both kinds of bisectors, circles by centre and point or by three points, midpoints, centres, mirror
images, polygons, triangle centres; the goal is one of AreCollinear, AreConcyclic, ArePerpendicular,
AreParallel, AreCongruent and AreEqual, by itself or within Prove, or `a ∥ b`, `a ⟂ b`, `a ≟ b`.
The picture's coordinates say which configuration is meant.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from dataclasses import dataclass, field
from xml.etree import ElementTree

from gnomon.errors import DataError
from gnomon.geometry.language import MOST_POINTS, Problem, ProblemError

_MOST_BYTES = 8_000_000  # of geogebra.xml; a drawing of 64 points has about a hundred thousand

_GOALS = {
    "AreCollinear": "coll",
    "AreConcyclic": "cyclic",
    "ArePerpendicular": "perp",
    "AreParallel": "para",
    "AreCongruent": "cong",
    "AreEqual": "cong",
}
_RELATIONS = {"∥": "para", "⟂": "perp", "⊥": "perp", "≟": "cong", "==": "cong"}
_TRIANGLE_CENTRES = {"1": "incenter", "3": "circumcenter", "4": "orthocenter"}


@dataclass
class _Line:
    """A line, and the condition for a point {x} to be on it, in the language of problems."""

    condition: str
    heading: tuple[str, str, bool] | None  # along the line of two points, or perpendicular to it
    points: list[str] = field(default_factory=list)


@dataclass
class _Circle:
    condition: str
    centre: str | None
    through: tuple[str, ...]


def read_geogebra(raw: bytes, *, name: str) -> Problem:
    """The problem in a `.ggb` file's bytes. Raises DataError where it is damaged, too large, or has
    what gnomon does not know.
    """
    root = _parse(_unpack(raw, name), name)
    construction = root.find("construction")
    if construction is None:
        raise DataError(f"{name} has no construction; it is no GeoGebra file")
    reader = _Reader(construction)
    text = reader.problem()
    try:
        problem = Problem.parse(text)
    except ProblemError as error:
        raise DataError(f"{name} says what gnomon cannot use: {error} (in '{text}')") from error
    title = (construction.get("title") or "").strip()
    return Problem(name=title, clauses=problem.clauses, goal=problem.goal, places=reader.places)


def _unpack(raw: bytes, name: str) -> bytes:
    try:
        with (
            zipfile.ZipFile(io.BytesIO(raw)) as archive,
            archive.open("geogebra.xml") as file,
        ):
            text = file.read(_MOST_BYTES + 1)
    except KeyError as error:
        raise DataError(f"{name} is a zip archive without geogebra.xml") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError,
            NotImplementedError) as error:  # fmt: skip
        raise DataError(f"{name} is a damaged GeoGebra file: {error}") from error
    if len(text) > _MOST_BYTES:
        raise DataError(
            f"the construction in {name} has more than {_MOST_BYTES:,} bytes; gnomon reads no more"
        )
    return text


def _parse(text: bytes, name: str) -> ElementTree.Element:
    if b"\0" in text:  # UTF-16 or UTF-32, in which the next lines would find nothing
        raise DataError(f"the construction in {name} is not in UTF-8, as GeoGebra writes it")
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise DataError(f"{name} declares a document type, which a GeoGebra file does not need")
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise DataError(f"the construction in {name} is damaged: {error}") from error


class _Reader:
    """Goes through the commands in order and writes clauses."""

    def __init__(self, construction: ElementTree.Element) -> None:
        self._construction = construction
        self._names: dict[str, str] = {}  # GeoGebra's labels of points, to ours
        self._objects: dict[str, _Line | _Circle] = {}
        self._clauses: list[str] = []
        self._goals: list[str] = []
        self.places: dict[str, complex] = {}
        self._coordinates: dict[str, complex] = {}

    def problem(self) -> str:
        """The text of the problem."""
        made: set[str] = set()
        for entry in self._construction:
            label = entry.get("label", "")
            if entry.tag == "command":
                outputs = _values(entry.find("output"))
                made.update(outputs)
                self._command(entry.get("name", ""), _values(entry.find("input")), outputs)
            elif entry.tag == "expression":
                self._relation(entry.get("exp", ""))
            elif entry.tag == "element" and entry.get("type") == "point":
                self._place(entry, label)
                if label not in made:
                    self._clause(label, "free {x}")
        if len(self._goals) != 1:
            raise DataError(
                f"a GeoGebra file needs one relation as its goal, such as AreCollinear(A, B, C), "
                f"and this one has {len(self._goals)}"
            )
        return f"{'; '.join(self._clauses)} ? {self._goals[0]}"

    def _place(self, entry: ElementTree.Element, label: str) -> None:
        at = entry.find("coords")
        try:
            x, y, z = (float(at.get(part, "")) for part in "xyz")  # type: ignore[union-attr]
        except (AttributeError, ValueError) as error:
            raise DataError(f"point {label} of the GeoGebra file has no coordinates") from error
        if z == 0 or not all(abs(part) < 1e9 for part in (x, y, z)):
            raise DataError(f"point {label} of the GeoGebra file is at no place: {x}, {y}, {z}")
        self._coordinates[label] = complex(x / z, y / z)
        if label in self._names:
            self.places[self._names[label]] = self._coordinates[label]

    def _clause(self, label: str, *conditions: str) -> None:
        """A new point and what it satisfies."""
        if len(self._names) == MOST_POINTS:
            raise DataError(f"the GeoGebra file has more than {MOST_POINTS} points")
        name = re.sub(r"[^A-Za-z0-9']", "", label).lower()
        if not name or not name[0].isalpha() or name in self._names.values():
            name = f"p{len(self._names) + 1}"
        while name in self._names.values():
            name += "0"
        self._names[label] = name
        if label in self._coordinates:
            self.places[name] = self._coordinates[label]
        steps = ", ".join(condition.replace("{x}", name) for condition in conditions)
        self._clauses.append(f"{name} = {steps}")

    def _command(self, name: str, inputs: list[str], outputs: list[str]) -> None:
        if name in ("Prove", "ProveDetails"):
            match = re.fullmatch(r"\s*(\w+)\s*[\[(](.*)[\])]\s*", inputs[0] if inputs else "")
            if match and match.group(1) in _GOALS:
                self._goal(match.group(1), [part.strip() for part in match.group(2).split(",")])
            elif inputs:
                self._relation(inputs[0])
            return
        if name in _GOALS:
            self._goal(name, inputs)
            return
        kinds = "".join(self._kind(part) for part in inputs)
        new = outputs[0] if outputs else ""
        if name in ("Line", "Ray", "Segment") and kinds in ("PP", "PPO"):
            self._objects[new] = self._through(inputs[0], inputs[1])
        elif name == "Line" and kinds == "PL":
            self._objects[new] = self._directed(inputs[0], inputs[1], is_turned=False)
        elif name in ("OrthogonalLine", "PerpendicularLine") and kinds == "PL":
            self._objects[new] = self._directed(inputs[0], inputs[1], is_turned=True)
        elif name in ("LineBisector", "PerpendicularBisector") and kinds in ("PP", "L"):
            ends = inputs if kinds == "PP" else self._ends(inputs[0])
            a, b = self._points(ends[:2])
            self._objects[new] = _Line(f"on_bline {{x}} {a} {b}", (a, b, True))
        elif name in ("AngularBisector", "AngleBisector") and kinds == "PPP":
            a, b, c = self._points(inputs)
            line = _Line(f"angle_bisector {{x}} {a} {b} {c}", None, [b])
            self._objects[new] = line
        elif name == "Circle" and kinds == "PP":
            o, a = self._points(inputs)
            self._objects[new] = _Circle(f"on_circle {{x}} {o} {a}", o, (a,))
        elif name == "Circle" and kinds == "PPP":
            a, b, c = self._points(inputs)
            self._objects[new] = _Circle(f"on_circum {{x}} {a} {b} {c}", None, (a, b, c))
        elif name == "Polygon" and set(kinds) == {"P"} and len(inputs) > 2:
            for side, (a, b) in zip(outputs[1:], zip(inputs, inputs[1:] + inputs[:1], strict=True),
                                    strict=False):  # fmt: skip
                self._objects[side] = self._through(a, b)
        elif name == "Point" and kinds in ("L", "C"):
            self._on(new, inputs)
        elif name == "Intersect" and kinds[:2] in ("LL", "LC", "CL", "CC"):
            for output in outputs:
                if output:
                    self._on(output, inputs[:2])
        elif name in ("Midpoint", "Center") and kinds in ("PP", "L"):
            ends = inputs if kinds == "PP" else self._ends(inputs[0])
            a, b = self._points(ends[:2])
            self._clause(new, f"midpoint {{x}} {a} {b}")
        elif name in ("Center", "Midpoint") and kinds == "C":
            self._centre(new, inputs[0])
        elif name in ("Mirror", "Reflect") and kinds in ("PP", "PL"):
            ends = self._points(inputs) if kinds == "PP" else [
                *self._points(inputs[:1]), *self._points(self._ends(inputs[1]))[:2]]  # fmt: skip
            form = "mirror" if kinds == "PP" else "reflect"
            self._clause(new, f"{form} {{x}} {' '.join(ends)}")
        elif (
            name == "TriangleCenter"
            and kinds[:3] == "PPP"
            and (form := _TRIANGLE_CENTRES.get("".join(inputs[3:])))
        ):
            self._clause(new, f"{form} {{x}} {' '.join(self._points(inputs[:3]))}")
        else:
            raise DataError(
                f"gnomon does not know GeoGebra's {name}({', '.join(inputs)}); "
                "draw it with points, lines, circles, their intersections and centres"
            )

    def _kind(self, label: str) -> str:
        """P, L or C for a point, line or circle; O for something else."""
        if label in self._names:
            return "P"
        known = self._objects.get(label)
        return "O" if known is None else "L" if isinstance(known, _Line) else "C"

    def _points(self, labels: list[str]) -> list[str]:
        unknown = [label for label in labels if label not in self._names]
        if unknown:
            raise DataError(f"'{unknown[0]}' is no point of the GeoGebra file so far")
        return [self._names[label] for label in labels]

    def _through(self, one: str, other: str) -> _Line:
        a, b = self._points([one, other])
        return _Line(f"on_line {{x}} {a} {b}", (a, b, False), [a, b])

    def _directed(self, through: str, line: str, *, is_turned: bool) -> _Line:
        (p,) = self._points([through])
        known = self._objects[line]
        assert isinstance(known, _Line)
        if known.heading is None:
            raise DataError(
                f"a parallel or perpendicular to the angle bisector {line} is not supported; "
                "put a second point on it and draw the line through both"
            )
        a, b, was_turned = known.heading
        is_turned = is_turned != was_turned
        form = "on_tline" if is_turned else "on_pline"
        return _Line(f"{form} {{x}} {p} {a} {b}", (a, b, is_turned), [p])

    def _on(self, label: str, objects: list[str]) -> None:
        """A new point on one or two objects."""
        self._clause(label, *(self._objects[o].condition for o in objects))
        for o in objects:
            known = self._objects[o]
            if isinstance(known, _Line):
                known.points.append(self._names[label])

    def _centre(self, label: str, circle: str) -> None:
        known = self._objects[circle]
        assert isinstance(known, _Circle)
        if known.centre is not None:
            raise DataError(f"{label} would be a second name of the centre {known.centre}")
        self._clause(label, f"circumcenter {{x}} {' '.join(known.through)}")

    def _ends(self, line: str) -> list[str]:
        """GeoGebra's labels of two points on a line."""
        known = self._objects.get(line)
        points = known.points if isinstance(known, _Line) else []
        labels = {name: label for label, name in self._names.items()}
        if len(points) < 2:
            raise DataError(f"'{line}' must be a line with two named points")
        return [labels[point] for point in points[:2]]

    def _relation(self, text: str) -> None:
        for sign, predicate in _RELATIONS.items():
            one, found, other = text.partition(sign)
            if found:
                self._say(predicate, [one.strip(), other.strip()])
                return

    def _goal(self, name: str, inputs: list[str]) -> None:
        self._say(_GOALS[name], inputs)

    def _say(self, predicate: str, inputs: list[str]) -> None:
        labels: list[str] = []
        for part in inputs:
            segment = re.fullmatch(r"(?:Segment|Line)[\[(]\s*(\S+)\s*,\s*(\S+)\s*[\])]", part)
            if segment:
                labels += segment.groups()
            else:
                labels += [part] if self._kind(part) == "P" else self._ends(part)
        self._goals.append(" ".join([predicate, *self._points(labels)]))


def _values(entry: ElementTree.Element | None) -> list[str]:
    """The attributes a0, a1, … in order."""
    if entry is None:
        return []
    numbered = [(int(key[1:]), value) for key, value in entry.attrib.items()
                if re.fullmatch(r"a\d{1,4}", key)]  # fmt: skip
    return [value.strip() for _, value in sorted(numbered)]
