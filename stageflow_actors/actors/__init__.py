"""How pipelines run: in this process, and as Ray actors."""
