"""Policies: what becomes of failure, as plain declarations. Nothing here decides or acts."""
