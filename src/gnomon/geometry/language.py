"""The language of problems: clauses, then `?` and a goal.

    a b c = triangle a b c; h = orthocenter h a b c ? perp a h b c

It is the language of AlphaGeometry (Nature 2024). A clause names new points and the constructions
that they satisfy; the new points may be repeated among a construction's arguments or left out.
Newclid's dialect (arXiv 2411.11938) is read, too: `|` before the auxiliary clauses, which count
like the others, angles such as `60o` and `2pi/3`, new points before all other arguments, several
goals with `;` between them, and among these conditions that say which configuration is meant.
`name@x_y` says where a point may be drawn: of several configurations the one that is nearest is
meant. A problem ends with the line that has its `?`, and a line may end after any construction. A
line before the problem is its name; lines that start with `#` are comments.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction

from gnomon.errors import DataError
from gnomon.geometry.conditions import CONDITIONS
from gnomon.geometry.constructions import CONSTRUCTIONS, Construction
from gnomon.geometry.naming import closest
from gnomon.geometry.predicates import PREDICATES, Predicate, Statement

MOST_POINTS = 64  # the native engine keeps sets of points in one machine word

_TOKEN = re.compile(r"[^\s;|,=?]+|[;|,=?]")
_NUMBER = re.compile(r"([+-]?\d+(?:\.\d*)?(?:/\d+)?)o?")
_RADIANS = re.compile(r"([+-]?\d*)pi(?:/(\d+))?")


class ProblemError(DataError):
    """A problem that cannot be read; `line` and `column` count from 1."""

    def __init__(self, message: str, *, line: int, column: int) -> None:
        super().__init__(f"line {line}, column {column}: {message}")
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One construction with every parameter of its signature bound to a point or a number."""

    construction: Construction
    binding: dict[str, str | Fraction]

    def facts(self) -> list[Statement]:
        """What the construction gives, about this problem's points."""
        return [fact.bind(self.binding) for fact in self.construction.facts]

    def needs(self) -> list[Statement]:
        """What must be so in a diagram before the construction can be drawn."""
        return [need.bind(self.binding) for need in self.construction.needs]

    def order(self) -> list[Statement]:
        """The conditions that it is drawn by."""
        return [condition.bind(self.binding) for condition in self.construction.order]

    def __str__(self) -> str:
        arguments = (str(self.binding[name]) for name in self.construction.signature)
        return " ".join([self.construction.name, *arguments])


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """New points and what they satisfy together."""

    points: tuple[str, ...]
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        return f"{' '.join(self.points)} = {', '.join(map(str, self.steps))}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Clauses in the order in which they are drawn, and what is to be shown (None: nothing)."""

    name: str
    clauses: tuple[Clause, ...]
    goal: Statement | None
    more_goals: tuple[Statement, ...] = ()
    conditions: tuple[Statement, ...] = ()  # the problem is about the diagrams that meet them
    places: dict[str, complex] = field(default_factory=dict)  # where some points may be drawn

    @classmethod
    def parse(cls, text: str) -> Problem:
        """The one problem of `text`. Raises ProblemError.

        >>> Problem.parse("a b = segment a b; m = midpoint m a b ? cong m a m b").points
        ('a', 'b', 'm')
        """
        found = list(parse_problems(text))
        if not found:
            raise ProblemError("a problem was expected, and there is none", line=1, column=1)
        if len(found) > 1:
            raise ProblemError(
                f"one problem was expected, and there are {len(found)}; give them one by one",
                line=1,
                column=1,
            )
        return found[0]

    @property
    def points(self) -> tuple[str, ...]:
        """All points in the order in which they are named."""
        return tuple(point for clause in self.clauses for point in clause.points)

    def extended(self, text: str) -> Problem:
        """The problem with further clauses, as they are written: `m = midpoint m a b`."""
        reader = _Reader([(1, text)], known=self.points)
        return replace(self, clauses=(*self.clauses, *reader.problem(self.name).clauses))

    def parts(self) -> list[Problem]:
        """A problem for each goal; this one where it has one goal or none.

        >>> text = "a b = segment a b; m = midpoint m a b ? cong m a m b; coll a m b"
        >>> [str(part.goal) for part in Problem.parse(text).parts()]
        ['cong m a m b', 'coll a m b']
        """
        return [replace(self, goal=goal, more_goals=()) for goal in (self.goal, *self.more_goals)]

    def __str__(self) -> str:
        """The problem in its language; what is read from it is this problem again."""
        text = "; ".join(map(str, self.clauses))
        for point, place in self.places.items():
            marked = f"{point}@{place.real!r}_{place.imag!r}"
            text = re.sub(
                rf"(^|; |(?<=\w) ){re.escape(point)}(?=[ \w']* =)", rf"\1{marked}", text, count=1
            )
        goals = "; ".join(map(str, (*self.conditions, self.goal, *self.more_goals)))
        return f"{text} ? {goals}" if self.goal else text

    def facts(self) -> list[Statement]:
        """What all constructions give."""
        return [fact for clause in self.clauses for step in clause.steps for fact in step.facts()]


def parse_problems(text: str) -> Iterator[Problem]:
    """Every problem of a file: from a line with `=` to the one with `?`; a line before it is its
    name.
    """
    name, name_line = "", 1
    lines: list[tuple[int, str]] = []  # of the problem that is being read, with their numbers
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if lines or "=" in line or "?" in line:
            lines.append((number, line))
            if "?" in line:
                yield _Reader(lines).problem(name)
                name, lines = "", []
        elif name:
            raise ProblemError(
                "a problem was expected, such as 'a b c = triangle a b c ? cong a b a c'",
                line=number,
                column=1,
            )
        else:
            name, name_line = line.strip(), number
    if lines:
        yield _Reader(lines).problem(name)
    elif name:
        raise ProblemError(
            f"{name[:40]!r} is no problem: it has neither '=' nor '?'", line=name_line, column=1
        )


_Spot = tuple[int, int]  # line and column, from 1


class _Reader:
    """Reads the lines of one problem, token by token."""

    def __init__(self, lines: list[tuple[int, str]], *, known: tuple[str, ...] = ()) -> None:
        self._tokens: list[tuple[str, _Spot]] = [
            (match.group(), (number, match.start() + 1))
            for number, line in lines
            for match in _TOKEN.finditer(line)
        ]
        number, line = lines[-1]
        self._tokens.append(("", (number, len(line) + 1)))
        self._next = 0
        self._points: list[str] = list(known)
        self._places: dict[str, complex] = {}

    def problem(self, name: str) -> Problem:
        clauses = []
        if self._peek() not in ("?", ""):
            clauses.append(self._clause())
            while self._peek() in (";", "|"):
                self._take()
                if self._peek() in ("?", ""):
                    break  # a last ';' is harmless
                clauses.append(self._clause())
        goals: list[Statement] = []
        conditions: list[Statement] = []
        if self._peek() == "?":
            goals, conditions = self._goals()
        if self._peek() != "":
            word, spot = self._take()
            self._fail(f"';', '?' or the end of the problem was expected, not '{word}'", spot)
        return Problem(
            name=name,
            clauses=tuple(clauses),
            goal=goals[0] if goals else None,
            more_goals=tuple(goals[1:]),
            conditions=tuple(conditions),
            places=self._places,
        )

    def _clause(self) -> Clause:
        new = []
        while self._peek() not in ("=", ";", "|", ",", "?", ""):
            word, spot = self._take()
            point, at, place = word.partition("@")
            if not re.fullmatch(r"[A-Za-z_]\w*'*", point):
                self._fail(f"'{word}' is no name for a point; use letters and digits", spot)
            if point in self._points or point in new:
                self._fail(f"point '{point}' is named twice", spot)
            if at:
                self._places[point] = self._place(word, place, spot)
            new.append(point)
        word, spot = self._take()
        if word != "=" or not new:
            self._fail(f"new points and '=' were expected, not '{word or 'the end'}'", spot)
        if len(self._points) + len(new) > MOST_POINTS:
            self._fail(f"more than {MOST_POINTS} points; gnomon takes no more", spot)
        steps = [self._step(new)]
        while self._peek() == ",":
            self._take()
            steps.append(self._step(new))
        self._points += new
        return Clause(points=tuple(new), steps=tuple(steps))

    def _step(self, new: list[str]) -> Step:
        name, spot = self._take()
        construction = CONSTRUCTIONS.get(name)
        if construction is None:
            self._fail(
                f"a construction was expected, not '{name or 'the end'}'"
                f"{closest(name, CONSTRUCTIONS)}",
                spot,
            )
        if len(construction.new) != len(new):
            self._fail(
                f"'{name}' makes {len(construction.new)} point(s), and {len(new)} are named: "
                f"{' '.join(new)}; its form is '{construction.usage()}'",
                spot,
            )
        arguments = self._words()
        signature = construction.signature
        if len(arguments) == len(signature):
            parameters = signature
        elif len(arguments) == len(signature) - len(construction.new):
            parameters = tuple(part for part in signature if part not in construction.new)
        else:
            self._fail(
                f"'{name}' takes {len(signature)} arguments ('{construction.usage()}'), "
                f"and {len(arguments)} are given",
                spot,
            )
        if {word for word, _ in arguments[: len(new)]} == set(new):
            parameters = (*construction.new, *construction.known)  # Newclid's order
        binding: dict[str, str | Fraction] = {}
        if len(parameters) < len(signature):
            binding.update(zip(construction.new, new, strict=True))
        for parameter, (word, at) in zip(parameters, arguments, strict=True):
            if parameter in construction.new:
                # Some problems write `c a b = triangle a b c`: the arguments say which is which.
                if word not in new or word in binding.values():
                    self._fail(f"a new point goes here ({' '.join(new)}), not '{word}'", at)
                binding[parameter] = word
            elif parameter in construction.numbers:
                binding[parameter] = self._to_number(word, at)
            else:
                binding[parameter] = self._known(word, at)
        step = Step(construction=construction, binding=binding)
        for fact in step.facts():
            problem = PREDICATES[fact.predicate].problem_of(fact.points, fact.numbers)
            if problem:
                meant = "" if str(step) == str(fact) else f" means '{fact}'"
                self._fail(f"'{step}'{meant}: {problem}", spot)
        return step

    def _goals(self) -> tuple[list[Statement], list[Statement]]:
        """What comes after `?`: what is to be shown, and conditions."""
        _, spot = self._take()
        goals: list[Statement] = []
        conditions: list[Statement] = []
        while self._peek() != "" or not (goals or conditions):
            found = self._statements()
            (conditions if found[0].predicate in CONDITIONS else goals).extend(found)
            if self._peek() != ";":
                break
            self._take()  # a last ';' is harmless
        if not goals:
            self._fail(
                f"'{conditions[0]}' only says which configuration is meant; "
                "add what is to be shown, after a ';'",
                spot,
            )
        return goals, conditions

    def _statements(self) -> list[Statement]:
        """One, or one for each further point of a line or circle: `coll a b c d`."""
        name, spot = self._take()
        known = {**PREDICATES, **CONDITIONS}
        predicate: Predicate | None = known.get(name)
        if predicate is None:
            self._fail(
                f"a predicate was expected, not '{name or 'the end'}'{closest(name, known)}",
                spot,
            )
        words, count = self._words(), predicate.points + predicate.numbers
        is_longer = name in ("coll", "cyclic") and len(words) > count
        if len(words) != count and not is_longer:
            self._fail(f"'{name}' takes {count} arguments, and {len(words)} are given", spot)
        points = tuple(
            self._known(word, at) for word, at in words[: len(words) - predicate.numbers]
        )
        numbers = tuple(self._to_number(word, at) for word, at in words[len(points) :])
        same = points[: predicate.points - 1]
        found = [Statement(name, (*same, last), numbers) for last in points[len(same) :]]
        for statement in found:
            problem = predicate.problem_of(statement.points, numbers)
            if problem:
                self._fail(problem, spot)
        return found

    def _words(self) -> list[tuple[str, _Spot]]:
        """The arguments of what was taken last: they end with its line."""
        words: list[tuple[str, _Spot]] = []
        line = self._tokens[self._next - 1][1][0]
        while self._peek() not in ("=", ";", "|", ",", "?", ""):
            if self._tokens[self._next][1][0] != line:
                break
            words.append(self._take())
        return words

    def _known(self, word: str, spot: _Spot) -> str:
        if word not in self._points:
            self._fail(f"point '{word}' is not known here{closest(word, self._points)}", spot)
        return word

    def _to_number(self, word: str, spot: _Spot) -> Fraction:
        radians, number = _RADIANS.fullmatch(word), _NUMBER.fullmatch(word)
        is_zero = re.search(r"/0+o?$", word) is not None
        if not (radians or number) or is_zero or len(word) > 18:
            self._fail(f"a number such as 60 or 3/2 was expected, not '{word}'", spot)
        if radians:
            part = radians.group(1)
            times = int(part) if part.strip("+-") else int(f"{part}1")
            return Fraction(180 * times, int(radians.group(2) or 1))
        assert number is not None
        return Fraction(number.group(1))

    def _place(self, word: str, place: str, spot: _Spot) -> complex:
        match = re.fullmatch(r"([+-]?[\d.]+(?:e[+-]?\d+)?)_([+-]?[\d.]+(?:e[+-]?\d+)?)", place)
        try:
            return complex(float(match.group(1)), float(match.group(2))) if match else complex("")
        except ValueError:
            self._fail(f"a place such as a@1.5_-2 was expected, not '{word}'", spot)

    def _peek(self) -> str:
        return self._tokens[self._next][0]

    def _take(self) -> tuple[str, _Spot]:
        token = self._tokens[self._next]
        self._next = min(self._next + 1, len(self._tokens) - 1)
        return token

    def _fail(self, message: str, spot: _Spot):
        line, column = spot
        raise ProblemError(message, line=line, column=column)
