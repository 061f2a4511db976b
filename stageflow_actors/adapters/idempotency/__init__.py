"""Stores of idempotency keys and answers: in this process, or in a file for several."""
