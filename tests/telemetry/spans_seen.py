"""Spans that were exported in this process, and what has to be true of every tree of them."""

from __future__ import annotations

from collections import Counter

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


class SeenSpans:
    """Where spans go, with a provider of one test alone."""

    def __init__(self, monkeypatch, **options) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False, **options)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        monkeypatch.setattr(trace, "get_tracer_provider", lambda: self.provider)

    @property
    def all(self):
        return sorted(self.exporter.get_finished_spans(), key=lambda span: span.start_time)

    def named(self, name):
        return [span for span in self.all if span.name == name]

    def one(self, name):
        (span,) = self.named(name)
        return span

    def attempts(self):
        return [span for span in self.all if span.name.startswith("stageflow.stage ")]

    def runs(self):
        return [span for span in self.all if span.name.startswith("invoke_workflow ")]


def check_trees(spans, roots=()):
    """Ids are unique, every parent and every link leads to a span, or to one of ``roots``.

    All spans of a trace are below one span.
    """
    ids = Counter(span.context.span_id for span in spans)
    assert [each for each, times in ids.items() if times > 1] == []
    known = {*ids, *roots}
    for span in spans:
        assert span.parent is None or span.parent.span_id in known, span.name
        assert {link.context.span_id for link in span.links} <= known
        assert span.end_time >= span.start_time
    tops = Counter(
        span.context.trace_id
        for span in spans
        if span.parent is None or span.parent.span_id in roots
    )
    assert set(tops.values()) <= {1}
    assert tops.keys() == {span.context.trace_id for span in spans}
