"""What happened in a run, told from its events as sinks get them."""
