"""What a pipeline is: stages, outputs, contexts, plans, results. Plain data and pydantic."""
