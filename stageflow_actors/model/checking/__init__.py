"""Whether data is what a pydantic model says, and where it is not."""
