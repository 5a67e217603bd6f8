"""A small transformer that proposes auxiliary points: tokens, model, training, proposer."""
