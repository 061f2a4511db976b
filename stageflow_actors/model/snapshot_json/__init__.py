"""Snapshots as JSON: reading, writing, and saying precisely what cannot be read or written."""
