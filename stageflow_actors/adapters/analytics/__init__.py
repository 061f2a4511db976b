"""Analytics: events on their way out of the process, in batches, buffered, each accounted for."""
