"""Implementations of the ports that need nothing but this process."""
