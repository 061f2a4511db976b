"""What could not be checked is said, and said once."""

import functools
import json
import operator

import pytest

from tests.lint.checking import found_in, noted, notes, pipeline_with, undeclared


class Client:
    def ask(self, ctx): ...


CLIENT = Client()


async def by_a_computed_name(ctx):
    return ctx.inputs.get_from(ctx.snapshot.input_text, "k")


async def by_a_known_or_a_computed_name(ctx):
    name = "b" if ctx.attempt else ctx.snapshot.input_text
    return ctx.inputs.get_from(name, "k")


async def by_a_computed_accessor(ctx):
    return getattr(ctx.inputs, ctx.snapshot.input_text)("b", "k")


async def hands_to_another_package(ctx):
    return json.dumps(ctx.inputs.outputs)


async def hands_to_a_c_function(ctx):
    return operator.itemgetter("b")(ctx.inputs.outputs)


async def hands_to_something_unknown(ctx):
    return ctx.data.client.ask(ctx)


class Keeps:
    kind = "work"

    async def execute(self, ctx):
        self.inputs = ctx.inputs


async def collects(ctx):
    return [ctx, ctx.inputs]


async def asks_nothing_of_it(ctx):
    print(ctx, len(ctx.inputs.outputs), isinstance(ctx, dict))
    return ctx.cancellation_reason


@pytest.mark.parametrize(
    ("runner", "rule"),
    [
        (by_a_computed_name, "computed-name"),
        (by_a_computed_accessor, "not-followed"),
        (hands_to_another_package, "not-followed"),
        (hands_to_a_c_function, "not-followed"),
        (hands_to_something_unknown, "not-followed"),
        (Keeps, "not-followed"),
        (collects, "not-followed"),
        (print, "no-source"),
        (functools.partial(print, 1), "no-source"),
    ],
    ids=repr,
)
def test_what_cannot_be_checked_is_a_note(runner, rule):
    said = noted(runner)
    assert said
    assert set(said) == {rule}
    assert undeclared(runner) == []


def test_a_name_that_is_partly_known_is_a_finding_and_a_note():
    assert undeclared(by_a_known_or_a_computed_name) == ["b"]
    assert noted(by_a_known_or_a_computed_name) == ["computed-name"]


def test_what_reads_nothing_is_no_note():
    assert noted(asks_nothing_of_it) == []


def test_a_builtin_that_was_replaced_reads_nothing_either(monkeypatch):
    def print_safely(*values): ...

    monkeypatch.setattr("builtins.print", print_safely)
    assert noted(asks_nothing_of_it) == []


def test_a_function_without_source_is_a_note():
    scope = {}
    exec("async def made(ctx): return ctx.inputs.get_from('b', 'k')", scope)
    (note,) = notes(pipeline_with(scope["made"]))
    assert note.message == "Not checked in 'read': the source of made is not available."


def test_a_function_whose_file_has_changed_is_a_note(tmp_path):
    file = tmp_path / "stages.py"
    file.write_text("async def made(ctx):\n    return ctx.inputs.get_from('b', 'k')\n")
    scope = {"__name__": "stages"}
    exec(compile(file.read_text(), str(file), "exec"), scope)
    file.write_text("\n\nasync def made(ctx):\n    return None\n")
    assert noted(scope["made"]) == ["no-source"]


def test_a_function_that_another_one_has_replaced_is_a_note(tmp_path):
    file = tmp_path / "stages.py"
    file.write_text("async def made(ctx):\n    return ctx.inputs.get_from('b', 'k')\n")
    scope = {"__name__": "stages"}
    exec(compile(file.read_text(), str(file), "exec"), scope)
    file.write_text("async def made(context, extra):\n    return None\n")
    assert noted(scope["made"]) == ["no-source"]


def test_two_lambdas_on_one_line_cannot_be_told_apart():
    one, _other = (lambda ctx: ctx.inputs.get("k")), (lambda ctx: ctx.inputs.get_from("b", "k"))
    assert noted(one) == ["no-source"]


def test_the_same_note_comes_once():
    async def twice(ctx):
        for name in ctx.data:
            ctx.inputs.get_from(name, "k"), ctx.inputs.get_from(name, "l")

    assert noted(twice) == ["computed-name"]


def test_findings_come_before_notes():
    order = [finding.is_note for finding in found_in(pipeline_with(by_a_known_or_a_computed_name))]
    assert order == [False, True]


def test_any_amount_of_calls_comes_to_an_end():
    async def many(ctx):
        return grow(ctx, "b")

    assert undeclared(many) == ["b"]
    assert noted(many) == []


def test_more_calls_than_can_be_followed_are_a_note():
    async def deep(ctx):
        def down(inputs):
            def further(given):
                return down(given)

            return further(inputs)

        return down(ctx.inputs)

    assert noted(deep) == ["not-followed"]


def grow(ctx, name):
    ctx.inputs.get_from("b", "k")
    return [grow(ctx, name + "1"), shrink(ctx, name + "2"), shrink(ctx, name + "3")]


def shrink(ctx, name):
    return [grow(ctx, name + "4"), grow(ctx, name + "5"), shrink(ctx, name)]
