"""The looks of a timeline in SVG: colours for light and dark pages, the pattern of waiting."""

from __future__ import annotations

STYLE = """<style>
.page { fill: #ffffff; stroke: #d8dee6; }
text { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
.title { font-size: 14px; font-weight: 600; fill: #16202c; }
.verdict { font-size: 12px; fill: #5b6775; }
.verdict.failed { fill: #b3434c; } .verdict.completed { fill: #2f7d57; }
.name { font-size: 12px; fill: #16202c; } .name.quiet { fill: #8a97a6; }
.name.run { fill: #5b6775; font-style: italic; }
.small, .tick { font-size: 10px; fill: #5b6775; }
.tick { text-anchor: middle; } .right { text-anchor: end; } .middle { text-anchor: middle; }
.grid { stroke: #e8ecf1; stroke-width: 1; } .rule { stroke: #d8dee6; stroke-width: 1; }
.waiting { fill: #cfd8e3; } .waits { fill: #cfd8e3; }
.retrying { stroke: #cf8a1f; stroke-width: 1.6; stroke-dasharray: 3 3; }
.run-bar { fill: #c5cfdb; }
.completed.bar { fill: #58ad86; } .open.bar { fill: #5f9be3; } .cancelled.bar { fill: #93a0b1; }
.failed.bar, .lost.bar { fill: #d6616a; } .retried.bar { fill: #e0a044; }
.rejected.bar { fill: #a07fd2; } .skipped.bar { fill: #c3ccd7; }
.call { fill: #16202c; fill-opacity: .38; }
.path { fill: none; stroke: #33475b; stroke-width: 1.8; stroke-linejoin: round; }
.end { stroke: #cc5a62; stroke-width: 1.2; stroke-dasharray: 4 3; }
.piece { stroke-width: 1; } .piece.working { fill: #e6f6ee; stroke: #3c9f6f; }
.piece.waiting { fill: #eef1f5; stroke: #aab6c4; }
.piece.retrying { fill: #fdf1de; stroke: #cf8a1f; }
.piece.runtime { fill: #f8f9fb; stroke: #c5cfdb; }
.inside { font-size: 10.5px; fill: #16202c; text-anchor: middle; }
.inside.quiet { fill: #5b6775; }
@media (prefers-color-scheme: dark) {
.page { fill: #151b23; stroke: #313b48; }
.title, .name, .inside { fill: #e8edf3; }
.inside.quiet { fill: #9aa7b6; } .name.quiet { fill: #748293; }
.verdict, .small, .tick, .name.run { fill: #9aa7b6; }
.verdict.failed { fill: #ec8f95; } .verdict.completed { fill: #6fcf9f; }
.grid { stroke: #232c37; } .rule { stroke: #313b48; }
.waiting, .waits { fill: #3c4857; } .retrying { stroke: #dca03b; } .run-bar { fill: #445163; }
.completed.bar { fill: #479c75; } .open.bar { fill: #5b9be8; } .cancelled.bar { fill: #6c7b8f; }
.failed.bar, .lost.bar { fill: #d2646d; } .retried.bar { fill: #c98c33; }
.rejected.bar { fill: #9270c6; } .skipped.bar { fill: #445163; }
.call { fill: #0c1117; fill-opacity: .5; } .path { stroke: #c3ced9; } .end { stroke: #dd727a; }
.piece.working { fill: #15302a; stroke: #4fb586; }
.piece.waiting { fill: #232c37; stroke: #5c6b7d; }
.piece.retrying { fill: #352811; stroke: #dca03b; }
.piece.runtime { fill: #1b222c; stroke: #445163; }
}
</style>"""
