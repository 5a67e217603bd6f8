"""`gnomon geometry`: problems of plane geometry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gnomon.cli.endings import EXIT_FALSE, EXIT_NOT_FOUND
from gnomon.cli.options import AsJson
from gnomon.cli.output import print_json
from gnomon.cli.text_input import read_text

if TYPE_CHECKING:
    from gnomon.geometry import Problem, Solution

app = typer.Typer(help="Plane geometry: deduce, and check the proof.", no_args_is_help=True)


@app.command("solve")
def solve(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A problem; - reads stdin.")],
    *,
    time_s: Annotated[
        float,
        typer.Option("--time", metavar="SECONDS", min=0.0, help="Stop looking after this long."),
    ] = 60.0,
    seed: Annotated[
        int, typer.Option(metavar="N", min=0, help="Another seed draws other diagrams.")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Prove the goal of a problem, or show a diagram in which it is false.

    FILE holds one problem in AlphaGeometry's language (docs/geometry.md). A proof is printed only
    after an independent checker has accepted it. Exit code 0: proved; 7: not found; 8: false.

    Example: echo 'a b c = iso_triangle a b c ? eqangle b a b c c b c a' | gnomon geometry solve -
    """
    from gnomon.geometry import Problem, Status, solve

    problem = Problem.parse(read_text(file))
    solution = solve(problem, time_s=time_s, seed=seed)
    if as_json:
        print_json(_to_dict(problem, solution))
    else:
        print(_to_text(problem, solution))
    if solution.status is not Status.PROVED:
        raise typer.Exit(EXIT_FALSE if solution.status is Status.FALSE else EXIT_NOT_FOUND)


def _to_dict(problem: Problem, solution: Solution) -> dict[str, Any]:
    return {
        "status": solution.status.value,
        "goal": str(problem.goal),
        "proof": solution.proof.to_dict() if solution.proof else None,
        "diagram": {name: [at.real, at.imag] for name, at in solution.diagram.items()},
        "refusal": solution.refusal,
        "is_every_choice": solution.is_every_choice,
        "facts": solution.facts,
        "seconds": solution.seconds,
    }


def _to_text(problem: Problem, solution: Solution) -> str:
    from gnomon.geometry import Status
    from gnomon.geometry.proof import describe

    assert problem.goal is not None
    goal = describe(problem.goal)
    if solution.status is Status.PROVED:
        note = "" if solution.is_every_choice else (
            "\n(in this configuration; other intersections or orders need not show it)"
        )  # fmt: skip
        return f"{solution.proof}\nProved and checked: {goal}{note}"
    if solution.status is Status.NOT_FOUND:
        refused = f" The checker refused one: {solution.refusal}." if solution.refusal else ""
        return f"Not found: {goal} holds in the diagrams, but no proof was found.{refused}"
    places = "\n".join(
        f"  {name} = ({at.real:.6f}, {at.imag:.6f})" for name, at in solution.diagram.items()
    )
    return f"False: not {goal} in this diagram:\n{places}"
