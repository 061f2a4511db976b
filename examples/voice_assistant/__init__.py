"""A voice assistant for the guests of a hotel: a spoken question in, a spoken answer out."""
