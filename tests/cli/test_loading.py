import pytest

from stageflow_actors.cli.loading import declared_specs, load_pipeline
from stageflow_actors.cli.target import parse_target
from stageflow_actors.errors import StageflowError

PIPELINES = """
    async def body(ctx): return {"of": ctx.stage_name}
    pipeline = Pipeline("shop").with_stage("a", body, "work")
    graph = pipeline.build()
    def make(): return pipeline.with_stage("b", body, "work", "a")
    def circle():
        return pipeline.with_stage("x", body, "work", "y").with_stage("y", body, "work", "x")
    def needs(size): return pipeline
    async def later(): return pipeline
    class Shelf:
        first = pipeline
    def broken(): raise KeyError("nothing there")
"""


def error_of(text):
    with pytest.raises(StageflowError) as caught:
        load_pipeline(text)
    return caught.value


# --- what is named --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "module", "attribute"),
    [
        ("shop:pipeline", "shop", "pipeline"),
        ("shop.support:make", "shop.support", "make"),
        ("shop:Shelf.first", "shop", "Shelf.first"),
        ("shop", "shop", ""),
    ],
)
def test_a_target_names_a_module_and_an_attribute(text, module, attribute):
    target = parse_target(text)
    assert (target.module, target.attribute, target.file) == (module, attribute, None)


@pytest.mark.parametrize("text", ["shop.py:make", "some/shop.py:make", "./shop:make"])
def test_a_target_with_a_suffix_or_a_slash_names_a_file(text):
    target = parse_target(text)
    assert str(target.file) == text.partition(":")[0].removeprefix("./")
    assert target.attribute == "make"


@pytest.mark.parametrize("text", ["", ":", "a b:c", "shop:1x", "shop:a..b", "shop:a-b", "-"])
def test_a_text_that_names_nothing_is_refused(text):
    assert error_of(text).code == "CLI-TARGET"


# --- what is loaded -------------------------------------------------------------------------------


@pytest.mark.parametrize("attribute", ["pipeline", "graph", "make", "Shelf.first"])
def test_pipelines_graphs_and_functions_are_loaded(write, attribute):
    write(PIPELINES)
    loaded = load_pipeline(f"shop:{attribute}")
    assert loaded.name == "shop"
    assert [spec.name for spec in declared_specs(loaded)][0] == "a"


def test_a_module_in_a_package_is_loaded(write, folder):
    write(PIPELINES, "stores/north/shop.py")
    assert load_pipeline("stores.north.shop:pipeline").name == "shop"


def test_a_file_is_loaded_with_the_modules_beside_it(write, folder):
    write("name = 'beside'", "stores/names.py")
    write("import names\npipeline = Pipeline(names.name)", "stores/my-shop.py")
    assert load_pipeline("stores/my-shop.py:pipeline").name == "beside"


def test_a_file_does_not_replace_a_module_of_the_same_name(write):
    import json

    write("pipeline = Pipeline('mine')", "json.py")
    assert load_pipeline("json.py:pipeline").name == "mine"
    import json as still

    assert still is json


def test_a_pipeline_that_does_not_build_is_loaded(write):
    write(PIPELINES)
    assert len(declared_specs(load_pipeline("shop:circle"))) == 3


# --- what is wrong --------------------------------------------------------------------------------


def test_a_module_that_does_not_exist_gets_a_near_name(write):
    write(PIPELINES)
    error = error_of("shpo:pipeline")
    assert error.code == "CLI-MODULE"
    assert error.message.startswith("There is no module 'shpo' in ")
    assert error.hint == "Did you mean shop?"


def test_a_module_that_does_not_exist_in_a_package_gets_a_near_name(write):
    write(PIPELINES, "stores/shop.py")
    write("", "stores/__init__.py")
    assert error_of("stores.shpo:pipeline").hint == "Did you mean stores.shop?"
    assert error_of("stors.shop:pipeline").hint == "Did you mean stores.shop?"


def test_a_file_that_does_not_exist_gets_a_near_name(write):
    write(PIPELINES, "stores/shop.py")
    error = error_of("stores/shpo.py:pipeline")
    assert (error.code, error.hint) == ("CLI-MODULE", "Did you mean stores/shop.py?")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import no_such_thing", "ModuleNotFoundError: No module named 'no_such_thing'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("def broken(:", "SyntaxError"),
        ("raise BaseException('odd')", None),
    ],
)
@pytest.mark.parametrize("target", ["shop:pipeline", "shop.py:pipeline"])
def test_a_module_that_raises_is_an_error_with_the_line(write, source, said, target):
    write(f"\n{source}\n")
    if said is None:
        with pytest.raises(BaseException, match="odd"):
            load_pipeline(target)
        return
    error = error_of(target)
    assert error.code == "CLI-IMPORT"
    assert said in error.message
    assert "shop.py:3" in error.message
    assert error.__cause__ is not None


def test_a_file_that_raised_can_be_loaded_once_it_is_corrected(write):
    import sys

    write("1 / 0")
    assert error_of("shop.py:pipeline").code == "CLI-IMPORT"
    assert "shop" not in sys.modules
    write(PIPELINES)
    assert load_pipeline("shop.py:pipeline").name == "shop"


def test_an_attribute_that_does_not_exist_gets_the_pipelines_there_are(write):
    write(PIPELINES)
    error = error_of("shop:pipelin")
    assert error.code == "CLI-ATTRIBUTE"
    assert error.hint == "Did you mean pipeline? Pipelines in 'shop': pipeline, graph."


def test_a_module_alone_gets_the_pipelines_there_are(write):
    write(PIPELINES)
    error = error_of("shop")
    assert error.code == "CLI-ATTRIBUTE"
    assert error.hint == "Write shop:pipeline. Pipelines in 'shop': pipeline, graph."


@pytest.mark.parametrize(
    ("attribute", "said"),
    [
        ("needs", "cannot be called without arguments"),
        ("body", "cannot be called without arguments"),
        ("later", "is no pipeline but an object of type coroutine"),
        ("Shelf", "is no pipeline but an object of type Shelf"),
        ("__name__", "is no pipeline but an object of type str"),
    ],
)
def test_something_that_is_no_pipeline_is_described(write, attribute, said):
    write(PIPELINES)
    error = error_of(f"shop:{attribute}")
    assert error.code == "CLI-NOT-A-PIPELINE"
    assert said in error.message


def test_a_function_that_raises_is_an_error_with_its_cause(write):
    write(PIPELINES)
    error = error_of("shop:broken")
    assert "KeyError: 'nothing there'" in error.message
    assert isinstance(error.__cause__, KeyError)


def test_an_error_of_the_library_passes_as_it_is(write):
    write("def make(): return Pipeline('p').with_stage('', print, 'work')")
    assert error_of("shop:make").code == "STAGE-DEFINITION"
