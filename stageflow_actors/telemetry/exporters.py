"""Which exporters the ``OTEL_*`` variables name, and how one is made of its name."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from enum import Enum
from importlib import import_module
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Any

logger = logging.getLogger("stageflow_actors.telemetry")


class Signal(Enum):
    """What is exported; its value stands in the names of variables, and in those of the SDK."""

    TRACES = "TRACES"
    METRICS = "METRICS"
    LOGS = "LOGS"

    @property
    def exporter_variable(self) -> str:
        """Names its exporters: ``OTEL_TRACES_EXPORTER``."""
        return f"OTEL_{self.value}_EXPORTER"


_OTLP_HTTP, _OTLP_GRPC = "otlp_proto_http", "otlp_proto_grpc"
_DEFAULT_PROTOCOL = "http/protobuf"
_PROTOCOLS = MappingProxyType({"http/protobuf": _OTLP_HTTP, "grpc": _OTLP_GRPC})
_KNOWN = MappingProxyType(
    {
        (Signal.TRACES, "console"): "opentelemetry.sdk.trace.export:ConsoleSpanExporter",
        (Signal.METRICS, "console"): "opentelemetry.sdk.metrics.export:ConsoleMetricExporter",
        (Signal.LOGS, "console"): "opentelemetry.sdk._logs.export:ConsoleLogRecordExporter",
        (Signal.TRACES, _OTLP_HTTP): "stageflow_actors.telemetry.otlp_http:HttpSpans",
        (Signal.TRACES, _OTLP_GRPC): "stageflow_actors.telemetry.otlp_grpc:GrpcSpans",
    }
    | {
        (signal, f"otlp_proto_{protocol}"): f"opentelemetry.exporter.otlp.proto.{protocol}.{place}"
        for protocol in ("http", "grpc")
        for signal, place in (
            (Signal.METRICS, "metric_exporter:OTLPMetricExporter"),
            (Signal.LOGS, "_log_exporter:OTLPLogExporter"),
        )
    }
)
"""Where the usual ones are: to ask every distribution for its entry points takes 40 ms."""


def exporters_asked_for(variables: Mapping[str, str]) -> dict[Signal, tuple[str, ...]]:
    """The names of the exporters of each signal that ``variables`` ask for; empty if of none.

    A signal is on if ``OTEL_<SIGNAL>_EXPORTER`` names an exporter other than ``none``, or names
    nothing while there is an OTLP endpoint. ``OTEL_SDK_DISABLED`` turns all off.
    """
    if _value(variables, "OTEL_SDK_DISABLED").lower() == "true":
        return {}
    named = {signal: _exporters_of(signal, variables) for signal in Signal}
    return {signal: names for signal, names in named.items() if names}


def _exporters_of(signal: Signal, variables: Mapping[str, str]) -> tuple[str, ...]:
    listed = _value(variables, signal.exporter_variable)
    if not listed:
        endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{signal.value}_ENDPOINT")
        return ("otlp",) if any(_value(variables, each) for each in endpoints) else ()
    names = (name.strip() for name in listed.split(","))
    return tuple(dict.fromkeys(name for name in names if name and name.lower() != "none"))


class Exporters:
    """Makes exporters of their names; what is wrong with ``variables`` is one warning each.

    The exporters read theirs (endpoint, headers, timeout, certificates) from ``os.environ``.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self._told: set[str] = set()

    def make(self, signal: Signal, name: str) -> Any | None:
        """The exporter of ``signal`` called ``name``; ``None``, and a warning, if there is none."""
        protocol = self._protocol_of(signal) if name == "otlp" else ""
        told = f"{name} over {protocol}" if protocol else name
        try:
            made = self._load(signal, _PROTOCOLS.get(protocol, name))
            return None if made is None else made()
        except ImportError as error:
            self._warn(
                told,
                f"Nothing is exported by {told}, which is not installed ({error}); "
                "try: pip install 'stageflow-actors[otlp]'",
            )
        except Exception as error:  # of a value that an exporter does not take, or a taken port
            self._warn(
                told,
                f"Nothing is exported by {told}, which cannot be made of the OTEL_* variables: "
                f"{error!r}",
            )
        return None

    def _protocol_of(self, signal: Signal) -> str:
        """A value that means nothing is told, and is as if it were not there."""
        used, unknown = _DEFAULT_PROTOCOL, []
        for name in (f"OTEL_EXPORTER_OTLP_{signal.value}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
            protocol = _value(self._variables, name)
            if protocol in _PROTOCOLS:
                used = protocol
                break
            if protocol:
                unknown.append((name, protocol))
        for name, protocol in unknown:
            self._warn_of_unknown(name, protocol, f"{used} is used", set(_PROTOCOLS))
        return used

    def _load(self, signal: Signal, entry: str) -> Any | None:
        """The class called ``entry``; ``None`` after a warning if no distribution has one."""
        if place := _KNOWN.get((signal, entry)):
            module, _, name = place.partition(":")
            return getattr(import_module(module), name)
        group = f"opentelemetry_{signal.value.lower()}_exporter"
        for found in entry_points(group=group, name=entry):
            return found.load()
        installed = {found.name for found in entry_points(group=group)} - set(_PROTOCOLS.values())
        self._warn_of_unknown(
            signal.exporter_variable,
            entry,
            f"{signal.value.lower()} are not exported by it",
            {"none", "otlp"} | installed,
        )
        return None

    def _warn_of_unknown(self, variable: str, value: str, outcome: str, possible: set[str]) -> None:
        self._warn(
            variable,
            f"{variable} names {value!r}, which is unknown: {outcome}; "
            f"possible are: {', '.join(sorted(possible))}.",
        )

    def _warn(self, cause: str, message: str) -> None:
        """Once for each ``cause``, as what is wrong for one signal is for the others, too."""
        if cause not in self._told:
            self._told.add(cause)
            logger.warning("%s", message)


def _value(variables: Mapping[str, str], name: str) -> str:
    """An empty variable is one that is not there."""
    return variables.get(name, "").strip()
