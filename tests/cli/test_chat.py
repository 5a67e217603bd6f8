"""`gnomon chat` where stdin is a pipe: every line is a turn."""

from fake_house import ANSWER


def test_each_line_is_answered(gnomon, house):
    run = gnomon("chat", stdin=b"Why?\n\nAnd then?\n")
    assert run.exit_code == 0
    assert run.stdout == f"{ANSWER}\n{ANSWER}\n"


def test_a_turn_reads_only_what_is_new(gnomon, house):
    gnomon("chat", stdin=b"Why?\nAnd then?\n")
    [session] = house.engines[0].sessions
    first, second = session.read
    assert first == len("<user>Why?\0<assistant>")
    # The answer's end and the opening of the user's turn are new; the rest was read before.
    assert second <= len("\0<user>And then?\0<assistant>")


def test_reset_forgets_and_quit_leaves(gnomon, house):
    result = gnomon(
        "chat", "--system", "Be brief.", "--json", stdin=b"One\n/reset\nTwo\n/quit\nX\n"
    )
    assert [message["content"] for message in result.json["messages"]] == [
        "Be brief.",
        "Two",
        ANSWER,
    ]


def test_ctrl_c_stops_the_answer_and_not_the_program(gnomon, house):
    house.interrupt_after = 7
    run = gnomon("chat", stdin=b"Why?\nAnd then?\n")
    assert run.exit_code == 0
    assert run.stdout == f"{ANSWER[:7]}\n{ANSWER}\n"
    assert "stopped" in run.stderr


def test_what_was_said_until_ctrl_c_is_kept(gnomon, house):
    house.interrupt_after = 7
    result = gnomon("chat", "--json", stdin=b"Why?\n")
    assert result.json["messages"][-1] == {"role": "assistant", "content": ANSWER[:7]}
