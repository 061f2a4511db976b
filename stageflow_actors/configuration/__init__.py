"""Pipelines as files: read from YAML or TOML, checked, and written as YAML."""
