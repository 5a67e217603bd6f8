"""`gnomon geometry`: problems of plane geometry."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gnomon.cli.endings import EXIT_FALSE, EXIT_NOT_FOUND, EXIT_PROVED_IN_PART
from gnomon.cli.options import AsJson, Quiet, Threads
from gnomon.cli.output import print_json
from gnomon.cli.text_input import read_bytes, read_text
from gnomon.errors import OutputError, UsageError

if TYPE_CHECKING:
    from gnomon.geometry import Problem, Solution
    from gnomon.geometry.explanation import Explanation

app = typer.Typer(help="Plane geometry: deduce, and check the proof.", no_args_is_help=True)


class Proposers(StrEnum):
    """Who proposes auxiliary points."""

    heuristic = "heuristic"
    learned = "learned"
    mixed = "mixed"
    none = "none"


class Form(StrEnum):
    """How a proof is written."""

    text = "text"
    json = "json"
    latex = "latex"
    html = "html"


FileArgument = Annotated[str, typer.Argument(metavar="FILE", help="A problem; - reads stdin.")]
TimeOption = Annotated[
    float,
    typer.Option(
        "--time",
        metavar="SECONDS",
        min=0.0,
        help="Stop looking after this long; a proof "
        "that is found is still checked, in other configurations too (about two seconds).",
    ),
]
SeedOption = Annotated[
    int,
    typer.Option(metavar="N", min=0, help="Another seed draws other diagrams, tries other points."),
]
PointsOption = Annotated[
    Proposers, typer.Option("--points", help="Who proposes auxiliary points; none: only deduce.")
]

GoalOption = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        show_default="all",
        help="Of several goals only this one: 1 is the first.",
    ),
]


@app.command("solve")
def solve(
    file: FileArgument,
    *,
    goal: GoalOption = None,
    time_s: TimeOption = 60.0,
    threads: Threads = None,
    seed: SeedOption = 0,
    points: PointsOption = Proposers.heuristic,
    form: Annotated[
        Form,
        typer.Option(
            "--format",
            help="How a proof is written; json is what `check` reads. Of several goals, only text "
            "shows all: the others need --goal.",
        ),
    ] = Form.text,
    figure: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the figure: .svg, or TikZ for .tex and .tikz."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Prove the goal of a problem, or show a diagram in which it is false.

    FILE holds one problem: in AlphaGeometry's language or Newclid's (docs/geometry.md), or a
    GeoGebra file whose goal is a relation. A proof is printed only after an independent checker has
    accepted it. Exit code 0: proved; 7: not found; 8: false; 9: proved for some configurations, and
    false in others or too few others can be drawn; 4: the problem cannot be read or drawn. Of
    several goals, which share the time, the worst answer counts: false, then not found;
    --format latex, html and json, and --figure, take one of them (--goal N). Where there is no
    proof to write, these formats leave stdout empty.

    Example: echo 'a b c = iso_triangle a b c ? eqangle b a b c c b c a' | gnomon geometry solve -
    """
    parts = _parts(file, goal)
    if len(parts) > 1 and (figure is not None or not (as_json or form is Form.text)):
        raise _too_many(parts)
    solved: list[Solution] = []
    for part in parts:
        left_s = max(0.0, time_s - sum(solution.seconds for solution in solved))
        share_s = left_s / (len(parts) - len(solved))
        solved.append(_solve(part, share_s, threads, seed, points))
    worst = max(solved, key=_badness)
    if figure is not None:
        _write_figure(figure, worst)
    if as_json:
        answers = [_to_dict(solution) for solution in solved]
        several = {"status": worst.status.value, "parts": answers}
        print_json(answers[0] if len(answers) == 1 else several)
    elif form is not Form.text and worst.proof is None:
        print(f"There is no proof to write as {form.value}.", _to_text(worst), file=sys.stderr)
    else:
        print("\n\n".join(_formatted(solution, form) for solution in solved))
    if code := _exit_code(worst):
        raise typer.Exit(code)


@app.command("hint")
def hint(
    file: FileArgument,
    *,
    number: Annotated[
        int, typer.Option("--number", "-n", metavar="N", min=1, help="Which step: 1 is the first.")
    ] = 1,
    goal: GoalOption = None,
    time_s: TimeOption = 60.0,
    threads: Threads = None,
    seed: SeedOption = 0,
    points: PointsOption = Proposers.heuristic,
) -> None:
    """Give away one step of a proof only: a conclusion, or a point to add.

    Steps that only repeat a definition are left out, unless there are no others.

    Exit codes are those of `solve`. Of several goals it takes one (--goal N).

    Example: gnomon geometry hint problem.txt --number 2
    """
    problem, *others = _parts(file, goal)
    if others:
        raise _too_many([problem, *others])
    solution = _solve(problem, time_s, threads, seed, points)
    if solution.proof is None:
        print(_to_text(solution))
    else:
        lines = _explain(solution).key_lines
        if not lines:
            print("Nothing is left to do: the goal is given.")
            return
        if number > len(lines):
            raise UsageError(f"hint {number} was asked for, and there are {len(lines)}")
        line = lines[number - 1]
        print(f"Hint {number} of {len(lines)}: {line.text} ({line.reason})")
    if code := _exit_code(solution):
        raise typer.Exit(code)


@app.command("check")
def check(
    file: Annotated[
        str, typer.Argument(metavar="PROOF", help="From `solve --format json`; - reads stdin.")
    ],
    *,
    seed: SeedOption = 0,
    as_json: AsJson = False,
) -> None:
    """Check a proof again, without the engine that found it.

    PROOF is what `solve --format json` wrote; what `solve --json` printed is read, too.
    Every step must follow by its rule, with algebra done in fractions, and be true in fresh
    diagrams. A refused proof ends with exit code 4, and the step is named. Exit code 9: it is
    accepted, and in a diagram of another configuration its goal is false, or too few others can be
    drawn to say.

    Example: gnomon geometry solve problem.txt --format json | gnomon geometry check -
    """
    from gnomon.geometry import certificate
    from gnomon.geometry.configuration import look_elsewhere

    proof, extended, problem = certificate.read(read_text(file))
    pictures = certificate.verify(proof, extended, seed=seed)
    elsewhere = look_elsewhere(problem, seed=seed + 1)
    if as_json:
        print_json(
            {
                "accepted": True,
                "is_every_configuration": elsewhere.is_true,
                "counterexample": _places(elsewhere.counterexample or {}),
                "problem": str(problem),
                "goal": str(problem.goal),
                "steps": len(proof.steps),
                "diagrams": pictures,
            }
        )
    else:
        where = "" if elsewhere.is_true else _where(elsewhere.counterexample)
        print(f"Accepted{where}: {problem}")
        print(f"{len(proof.steps)} steps, checked in {pictures} fresh diagrams.")
    if not elsewhere.is_true:
        raise typer.Exit(EXIT_PROVED_IN_PART)


@app.command("generate")
def generate(
    *,
    count: Annotated[
        int, typer.Option("--count", "-n", metavar="N", min=1, help="How many theorems to write.")
    ] = 1000,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Another seed, other data.")] = 0,
    threads: Threads = None,
    only_auxiliary: Annotated[
        bool, typer.Option("--only-auxiliary", help="Only theorems that need a further point.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            show_default="stdout",
            help="Write there, and go on where an interrupted run with the same options stopped.",
        ),
    ] = None,
) -> None:
    """Write random theorems as JSON lines, with the auxiliary points that their proofs need.

    Random figures are saturated, and conclusions are traced back. The same seed gives the same
    lines, whatever the number of threads (which are processes here). With --output, `wc -l FILE`
    says how far it is.

    Example: gnomon geometry generate --count 100 --only-auxiliary > theorems.jsonl
    """
    import json
    import os

    from gnomon.geometry.generate import generate, read_records

    whole = b""
    if output is not None and output.exists():
        written = read_bytes(str(output))
        whole = written[: written.rfind(b"\n") + 1]  # the last line may be cut off
    found = generate(
        count,
        seed=seed,
        processes=threads or len(os.sched_getaffinity(0)),
        only_auxiliary=only_auxiliary,
        before=read_records(whole.decode("utf-8", "replace").splitlines(), seed=seed),
    )
    if output is None:
        for record in found:
            print(json.dumps(record), flush=True)
        return
    try:
        with output.open("ab") as file:
            file.truncate(len(whole))
            for record in found:
                file.write(json.dumps(record).encode() + b"\n")
                file.flush()
    except OSError as error:
        raise OutputError(f"cannot write {output}: {error.strerror or error}") from error


@app.command("train")
def train(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="What `generate` wrote.")],
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Write the weights there.")
    ] = Path("proposer.npz"),
    time_s: Annotated[
        float, typer.Option("--time", metavar="SECONDS", min=1.0, help="Train for this long.")
    ] = 600.0,
    seed: Annotated[
        int, typer.Option(metavar="N", min=0, help="Another seed starts from other weights.")
    ] = 0,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Train the transformer that proposes auxiliary points. Needs PyTorch (extra `compress`).

    The weights replace `gnomon/geometry/learned/proposer.npz`, which `--points learned` reads.

    Example: gnomon geometry train theorems.jsonl --time 600 -o proposer.npz
    """
    from dataclasses import asdict

    from gnomon.geometry.learned.training import read_examples, train

    examples = [e for file in files for e in read_examples(read_text(str(file)).splitlines())]
    report = train(
        examples,
        output,
        time_s=time_s,
        seed=seed,
        on_progress=lambda text: None if quiet else print(text, file=sys.stderr, flush=True),
    )
    if as_json:
        print_json(asdict(report))
    else:
        print(
            f"{report.steps} steps on {report.examples} examples: {report.train_loss:.3f} nats a "
            f"proposal, {report.held_out_loss:.3f} on {report.held_out} held out. Wrote {output}."
        )


def _parts(file: str, goal: int | None) -> list[Problem]:
    """A problem for each goal, or for the one that is asked for."""
    from gnomon.geometry import read_problem

    parts = read_problem(read_bytes(file), name=file).parts()
    if goal is not None and goal > len(parts):
        raise UsageError(f"goal {goal} was asked for, and the problem has {len(parts)}")
    return parts if goal is None else [parts[goal - 1]]


def _too_many(parts: list[Problem]) -> UsageError:
    return UsageError(
        f"the problem has {len(parts)} goals, and this shows one proof; choose one with --goal N"
    )


def _solve(
    problem: Problem, time_s: float, threads: int | None, seed: int, points: Proposers
) -> Solution:
    import os

    from gnomon.geometry import solve

    return solve(
        problem,
        time_s=time_s,
        threads=threads or len(os.sched_getaffinity(0)),
        seed=seed,
        points=points.value,
    )


def _badness(solution: Solution) -> int:
    """The place of an answer among all, the best first."""
    from gnomon.geometry import Status

    order = (Status.PROVED, Status.PROVED_IN_PART, Status.NOT_FOUND, Status.FALSE)
    return order.index(solution.status)


def _exit_code(solution: Solution) -> int:
    from gnomon.geometry import Status

    return {
        Status.PROVED: 0,
        Status.PROVED_IN_PART: EXIT_PROVED_IN_PART,
        Status.NOT_FOUND: EXIT_NOT_FOUND,
        Status.FALSE: EXIT_FALSE,
    }[solution.status]


def _to_dict(solution: Solution) -> dict[str, Any]:
    from gnomon.geometry.certificate import to_dict

    proof = solution.proof
    return {
        "status": solution.status.value,
        "goal": str(solution.problem.goal),
        "proof": to_dict(proof, solution.problem, solution.added) if proof else None,
        "added": [str(clause) for clause in solution.added],
        "unused": list(_explain(solution).unused) if proof else [],
        "diagram": _places(solution.diagram),
        "counterexample": _places(solution.counterexample or {}),
        "refusal": solution.refusal,
        "is_every_choice": solution.is_every_choice,
        "is_time_over": solution.is_time_over,
        "facts": solution.facts,
        "attempts": solution.attempts,
        "seconds": solution.seconds,
    }


def _where(counterexample: dict[str, complex] | None) -> str:
    """Of what figures a proof is that is not of all."""
    if counterexample is None:
        return " for the configuration drawn; others could not be looked at"
    return " for some configurations, false in others"


def _places(diagram: dict[str, complex]) -> dict[str, list[float]]:
    return {name: [at.real, at.imag] for name, at in diagram.items()}


def _explain(solution: Solution) -> Explanation:
    from gnomon.geometry import Status
    from gnomon.geometry.explanation import explain

    assert solution.proof is not None
    note = ""
    if solution.status is Status.PROVED_IN_PART:
        found = "in another one the statement is false"
        if solution.counterexample is None:
            found = "too few others can be drawn to say whether it is true in them"
        note = f"This is for the configuration drawn: {found}."
    elif not solution.is_every_choice:
        note = (
            "The steps are those of the configuration drawn; "
            "other intersections or orders may need others."
        )
    return explain(solution.proof, solution.problem, solution.added, note=note)


def _to_text(solution: Solution) -> str:
    from gnomon.geometry import Status
    from gnomon.geometry.explanation import to_text
    from gnomon.geometry.wording import label, say

    assert solution.problem.goal is not None
    goal = say(solution.problem.goal)
    if solution.proof is not None:
        is_in_part = solution.status is Status.PROVED_IN_PART
        where = _where(solution.counterexample) if is_in_part else ""
        return f"{to_text(_explain(solution))}\n\nProved and checked{where}: {goal}"
    if solution.status is Status.NOT_FOUND:
        refused = f" The checker refused one: {solution.refusal}." if solution.refusal else ""
        if solution.is_time_over:
            found = f"no proof was found in {solution.seconds:.0f} seconds; more --time may help."
        else:
            found = "no proof was found, and nothing is left to try."
        return f"Not found: it is true in the diagrams that {goal}, but {found}{refused}"
    places = "\n".join(
        f"  {label(name)} = ({at.real:.6f}, {at.imag:.6f})" for name, at in solution.diagram.items()
    )
    return f"It is false that {goal}. A diagram in which it is not so:\n{places}"


def _formatted(solution: Solution, form: Form) -> str:
    import json

    from gnomon.geometry.certificate import to_dict
    from gnomon.geometry.drawing import draw_figure
    from gnomon.geometry.latex import to_latex
    from gnomon.geometry.page import to_html

    if form is Form.text:
        return _to_text(solution)
    assert solution.proof is not None
    if form is Form.json:
        return json.dumps(to_dict(solution.proof, solution.problem, solution.added), indent=1)
    explanation = _explain(solution)
    drawing = draw_figure(solution.problem, solution.diagram, explanation.points)
    if form is Form.latex:
        return to_latex(explanation, drawing)
    return to_html(explanation, drawing, solution.problem)


def _write_figure(path: Path, solution: Solution) -> None:
    from gnomon.geometry.drawing import draw_figure
    from gnomon.geometry.figure_formats import to_svg, to_tikz

    if path.suffix not in (".svg", ".tex", ".tikz"):
        raise UsageError(f"a figure is .svg, .tex or .tikz, not '{path.name}'")
    added = [point for clause in solution.added for point in clause.points]
    drawing = draw_figure(solution.problem, solution.diagram, added)
    try:
        text = to_svg(drawing) if path.suffix == ".svg" else to_tikz(drawing)
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
