"""``serve`` refuses what it cannot serve, before it listens; a server is started elsewhere."""

from __future__ import annotations

import pytest

SHOP = """
async def answer(ctx):
    return {}

def shop():
    return Pipeline("shop").with_stage("answer", answer, "work")
"""


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["shop:shop"], "SERVE-VERIFIER-MISSING"),
        (["shop:shop", "--insecure-loopback", "--host", "0.0.0.0"], "SERVE-EXPOSED"),
        (["shop:shop", "--verifier", "shop:shop"], "CLI-VERIFIER"),
        (["shop:shop", "--verifier", "shop:nothing"], "CLI-VERIFIER"),
        (["shop:nothing", "--insecure-loopback"], "CLI-ATTRIBUTE"),
        (["shop:shop", "shop:shop", "--insecure-loopback"], "SERVE-NAME"),
        (["shop:shop", "--insecure-loopback", "--on-disconnect", "x"], "SERVE-DEFINITION"),
    ],
)
def test_what_cannot_be_served_ends_it_with_a_code(write, call, arguments, code):
    write(SHOP)
    ended = call("serve", "--runtime", "local", *arguments)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert code in ended.stderr
    assert "Traceback" not in ended.stderr
