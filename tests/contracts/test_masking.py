"""No text of an error shows what a model hides."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from typing import Annotated, NamedTuple

import pytest
from pydantic import (
    AliasPath,
    BaseModel,
    Field,
    RootModel,
    Secret,
    SecretBytes,
    SecretStr,
    field_validator,
    model_validator,
)
from typing_extensions import TypeAliasType, TypedDict

from tests.contracts.samples import violation

HIDDEN = "hunter2"
Alias = TypeAliasType("Alias", list[SecretStr])


class Login(BaseModel):
    user: str
    password: SecretStr


class Hidden(BaseModel):
    note: Annotated[int, Field(repr=False)]


class Tokens(RootModel[list[SecretStr]]):
    pass


class Quiet(RootModel[dict[str, int]]):
    root: dict[str, int] = Field(repr=False)


class Pair(NamedTuple):
    name: str
    secret: SecretStr


class Typed(TypedDict):
    key: SecretBytes


@dataclass
class Stored:
    code: int = field(repr=False)


HIDDEN_IN = [
    (SecretStr, [HIDDEN]),
    (SecretStr | None, [HIDDEN]),
    (Secret[int], HIDDEN),
    (list[SecretStr], [[HIDDEN]]),
    (dict[str, SecretBytes], {"a": {HIDDEN: HIDDEN}}),
    (Alias, [5]),
    (Login, {"user": "me", "password": [HIDDEN]}),
    (list[Login], [{"user": "me", "password": {"p": HIDDEN}}]),
    (Hidden, {"note": HIDDEN}),
    (dict[str, Hidden | Login], {"a": {"note": HIDDEN}}),
    (Tokens, [[HIDDEN]]),
    (Quiet, {"a": HIDDEN}),
    (Pair, ("me", [HIDDEN])),
    (Typed, {"key": [HIDDEN]}),
    (Annotated[int, Field(repr=False)], HIDDEN),
]


@pytest.mark.parametrize(("annotation", "value"), HIDDEN_IN)
@pytest.mark.parametrize("more", [None, object()], ids=["json", "more than json"])
def test_a_masked_value_is_not_shown(annotation, value, more):
    model = type("Made", (BaseModel,), {"__annotations__": {"value": annotation}})
    error = violation(model, {"value": value, "more": more})
    assert HIDDEN not in repr(vars(error))
    assert error.got.endswith(" (masked)")
    assert error.__cause__ is None
    assert error.__context__ is None
    assert HIDDEN.encode() not in pickle.dumps(error)


def test_a_masked_value_of_a_dataclass_is_not_shown():
    model = type("Made", (BaseModel,), {"__annotations__": {"value": Stored}})
    assert violation(model, {"value": {"code": HIDDEN}}).got == "str (masked)"


def test_a_value_beside_a_masked_one_is_shown():
    error = violation(Login, {"user": 5, "password": HIDDEN})
    assert error.got == "int 5"


def test_a_masked_field_is_known_by_its_alias_too():
    class Aliased(BaseModel):
        password: SecretStr = Field(alias="pass-word")
        token: SecretStr = Field(validation_alias=AliasPath("tokens", 0))

    assert violation(Aliased, {"pass-word": [HIDDEN], "tokens": ["x"]}).got == "list (masked)"
    assert violation(Aliased, {"pass-word": "x", "tokens": [[HIDDEN]]}).got == "list (masked)"


class Quoting(BaseModel):
    """Its validators quote what they refuse."""

    user: str = ""
    password: SecretStr
    pin: int = Field(default=0, repr=False)

    @field_validator("password", mode="before")
    @classmethod
    def _judge_password(cls, value):
        if value == HIDDEN:
            raise ValueError(f"{value} is too well known")
        return value

    @model_validator(mode="before")
    @classmethod
    def _judge_all(cls, data):
        if data.get("user") == "raise":
            raise ValueError(f"refused: {data}")
        if data.get("user") == "break":
            raise KeyError(data["password"])
        return data

    @model_validator(mode="after")
    def _judge_user(self):
        if self.user == "late":
            raise ValueError(f"refused: {self.password.get_secret_value()}, {self.pin}")
        if self.user == "plain":
            raise ValueError("refused: no such user")
        return self


class Around(BaseModel):
    logins: list[Quoting]


@pytest.mark.parametrize("user", ["raise", "late"])
def test_what_a_validator_says_is_withheld_where_it_quotes_a_masked_value(user):
    data = {"user": user, "password": "swordfish", "pin": 4711}
    for error in (violation(Quoting, data), violation(Around, {"logins": [data]})):
        assert "swordfish" not in repr(vars(error))
        assert "4711" not in repr(vars(error))
        assert "not shown" in error.expected


def test_what_a_validator_says_is_withheld_where_it_opens_a_secret():
    error = violation(Quoting, {"user": "late", "password": SecretStr("swordfish")})
    assert "swordfish" not in repr(vars(error))
    assert "not shown" in error.expected


def test_what_a_validator_says_of_a_masked_field_is_withheld():
    error = violation(Quoting, {"password": HIDDEN})
    assert HIDDEN not in repr(vars(error))
    assert error.expected == "a value that passes its check"


def test_an_exception_that_quotes_a_masked_value_is_not_told_nor_kept():
    error = violation(Quoting, {"user": "break", "password": "swordfish"})
    assert error.got == "KeyError: (not shown: it quotes a masked value)"
    assert error.__cause__ is None


def test_what_a_validator_says_is_told_where_it_quotes_nothing_masked():
    error = violation(Quoting, {"user": "plain", "password": "swordfish"})
    assert error.expected == "what its validator accepts: refused: no such user"


def test_a_long_reason_is_shortened_and_on_one_line():
    class Talkative(BaseModel):
        word: str

        @field_validator("word")
        @classmethod
        def _judge(cls, word):
            raise ValueError(f"refused:\n{word}")

    error = violation(Talkative, {"word": "long " * 1_000})
    assert len(error.message) < 400
    assert "\n" not in str(error)
