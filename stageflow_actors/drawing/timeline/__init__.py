"""A run as bars over time: what to draw, as text, as SVG, and as a trace for Perfetto."""
