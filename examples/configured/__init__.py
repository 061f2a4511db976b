"""A help desk whose pipeline stands in a file."""
