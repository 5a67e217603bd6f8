"""The propose-verify loop: a proposer says what to try, a verifier what comes of it."""

from gnomon.search.loop import (
    Accepted,
    Extended,
    Outcome,
    Proposal,
    Proposer,
    Rejected,
    Verdict,
    Verifier,
    search,
)

__all__ = [
    "Accepted",
    "Extended",
    "Outcome",
    "Proposal",
    "Proposer",
    "Rejected",
    "Verdict",
    "Verifier",
    "search",
]
