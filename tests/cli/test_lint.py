import json

import pytest

PIPELINES = """
    print("printed while importing")
    async def a(ctx): ...
    async def b(ctx): return ctx.inputs.get_from("aa", "k")
    async def c(ctx): return ctx.inputs.get_from(ctx.snapshot.input_text, "k")
    sound = Pipeline("p").with_stage("a", a, "work").with_stage("x", a, "work", "a")
    noted = sound.with_stage("c", c, "work", "a")
    wrong = noted.with_stage("b", b, "work", "a")
    circle = Pipeline("p").with_stage("a", a, "work", "b").with_stage("b", a, "work", "a")
    def make(): return circle
"""


@pytest.fixture
def lint(call, write):
    write(PIPELINES)
    return lambda target, *options: call("lint", f"shop:{target}", *options)


@pytest.mark.parametrize(
    ("target", "code"),
    [("sound", 0), ("noted", 0), ("wrong", 1), ("circle", 1), ("make", 1), ("no", 2)],
)
def test_exit_code_is_for_ci(lint, target, code):
    assert lint(target).exit_code == code
    assert lint(target, "--json").exit_code == code


def test_a_finding_says_what_is_wrong_what_to_do_and_where(lint):
    out = lint("wrong").stdout
    assert "error  'b' reads 'aa' (get_from), but there is no such stage.  [undeclared-read]" in out
    assert "  try  Did you mean 'a'?" in out
    assert "   in  shop.py:5" in out
    assert out.splitlines()[-1] == "p: 4 stages, 1 finding, 1 note"


def test_a_rule_can_be_left_out(lint):
    result = lint("wrong", "--ignore", "undeclared-read", "--ignore", "computed-name")
    assert result.exit_code == 0
    assert result.stdout == "p: 4 stages, 0 findings, 0 notes\n"


def test_an_unknown_rule_is_bad_usage(lint):
    assert lint("wrong", "--ignore", "everything").exit_code == 2


def test_json_has_findings_and_notes(lint, folder):
    document = json.loads(lint("wrong", "--json").stdout)
    assert (document["status"], document["pipeline"]) == ("findings", "p")
    assert [(each["rule"], each["stage"]) for each in document["findings"]] == [
        ("undeclared-read", "b")
    ]
    assert document["findings"][0]["file"] == str(folder / "shop.py")
    assert document["findings"][0]["line"] == 5
    assert [each["rule"] for each in document["notes"]] == ["computed-name"]
    assert json.loads(lint("noted", "--json").stdout)["status"] == "clean"


def test_json_of_what_cannot_be_loaded_has_the_error(lint):
    assert json.loads(lint("no", "--json").stdout)["error"]["code"] == "CLI-ATTRIBUTE"
