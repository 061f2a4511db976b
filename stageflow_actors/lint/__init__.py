"""Finds mistakes in a pipeline without running it: in its edges, its reads and its routes."""
