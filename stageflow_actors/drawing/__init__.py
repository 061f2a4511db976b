"""Pictures of pipelines: a plan in, text out. No files, no terminal, no third-party tool."""
