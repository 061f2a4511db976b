"""What runs look like from outside: spans, metrics and logs of OpenTelemetry."""
