"""The looks of an SVG picture: colours for light and dark pages, line styles, arrowheads."""

from __future__ import annotations

_KNOWN_KINDS = ("transform", "enrich", "route", "guard", "work", "agent")

STYLE = """<style>
.page { fill: #ffffff; stroke: #d8dee6; }
text { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
.name { font-size: 13px; font-weight: 600; fill: #16202c; text-anchor: middle; }
.kind { font-size: 10.5px; fill: #5b6775; text-anchor: middle; }
.note { font-size: 10px; fill: #5b6775; }
.stage rect, .stage polygon { fill: #f3f5f8; stroke: #8a97a6; stroke-width: 1.4; }
.optional rect, .optional polygon { stroke-dasharray: 5 3; }
.transform rect, .transform polygon { fill: #e8f1fd; stroke: #4d8ad6; }
.enrich rect, .enrich polygon { fill: #e6f6ee; stroke: #3c9f6f; }
.route rect, .route polygon { fill: #fdf1de; stroke: #cf8a1f; }
.guard rect, .guard polygon { fill: #fdebec; stroke: #cc5a62; }
.work rect, .work polygon { fill: #eef0f4; stroke: #77859a; }
.agent rect, .agent polygon { fill: #f2ebfc; stroke: #8d63c9; }
.edge { fill: none; stroke: #6b7a8c; stroke-width: 1.6; }
.edge.order { stroke: #8b97a5; stroke-dasharray: 6 4; }
.edge.route { stroke: #bb7a14; }
.plate { fill: #ffffff; }
.label { font-size: 10px; text-anchor: middle; }
.label.route { fill: #95600c; } .label.order { fill: #5b6775; }
.tip.data { fill: #6b7a8c; } .tip.order { fill: #8b97a5; } .tip.route { fill: #bb7a14; }
@media (prefers-color-scheme: dark) {
.page { fill: #151b23; stroke: #313b48; }
.name { fill: #e8edf3; } .kind, .note { fill: #9aa7b6; }
.stage rect, .stage polygon { fill: #232c37; }
.transform rect, .transform polygon { fill: #17293f; stroke: #5b9be8; }
.enrich rect, .enrich polygon { fill: #15302a; stroke: #4fb586; }
.route rect, .route polygon { fill: #352811; stroke: #dca03b; }
.guard rect, .guard polygon { fill: #391d21; stroke: #dd727a; }
.work rect, .work polygon { fill: #232b36; stroke: #8493a8; }
.agent rect, .agent polygon { fill: #2b2140; stroke: #a780e0; }
.edge { stroke: #93a1b2; } .edge.order { stroke: #748293; } .edge.route { stroke: #dca03b; }
.plate { fill: #151b23; } .label.route { fill: #e8b65c; } .label.order { fill: #9aa7b6; }
.tip.data { fill: #93a1b2; } .tip.order { fill: #748293; } .tip.route { fill: #dca03b; }
}
</style>"""


def _arrow(kind: str) -> str:
    return (
        f'<marker id="{kind}-end" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" '
        f'markerHeight="7" orient="auto"><path class="tip {kind}" d="M0,1 L10,5 L0,9 z"/></marker>'
    )


ARROWS = "<defs>" + "".join(map(_arrow, ("data", "order", "route"))) + "</defs>"


def color_class(kind: str) -> str:
    """The class of a stage of this kind; one for all kinds that have no colour of their own."""
    return kind if kind in _KNOWN_KINDS else "other"
