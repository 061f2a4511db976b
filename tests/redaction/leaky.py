"""Stages that let out whatever they can, in every way that there is, and what they are given."""

from __future__ import annotations

import base64
import hashlib
import os

from pydantic import BaseModel, SecretBytes, SecretStr

from stageflow_actors import (
    BaseInterceptor,
    ContextSnapshot,
    Conversation,
    CorePorts,
    ExecutionConfig,
    ExecutionMode,
    Message,
    Pipeline,
    RetryPolicy,
    RoutingDecision,
    StageOutput,
)

PLACES = (
    "input", "message", "answer", "sentence", "data_name", "data_type", "meta_name", "meta_type",
    "meta_deep", "port", "upstream", "config_type", "config_name", "config_bytes", "instance",
    "environ", "environ_url", "header_auth", "header_cookie", "header_key", "args", "cause",
    "context", "note", "group", "local", "event_name", "event_text", "event_object", "event_bytes",
    "skip", "cancel", "branch", "fail", "retry", "skip_signal", "routing", "cleanup",
    "cleanup_thread", "interceptor", "callback", "teardown", "setup", "jwt", "key_block",
)  # fmt: skip


def canary(place: str) -> str:
    """Sixteen letters and digits that are nowhere else, and in no source line."""
    digest = hashlib.sha256(f"canary of {place}".encode()).digest()
    return base64.b32encode(digest)[:16].decode()


CANARIES = {place: canary(place) for place in PLACES}
KEY_NAME, URL_NAME = "LEAKY_API_KEY", "LEAKY_DATABASE"
ENVIRON = {KEY_NAME: CANARIES["environ"], URL_NAME: f"db://bob:{CANARIES['environ_url']}@host/x"}


class Login(BaseModel):
    user: str = "ada"
    phrase: SecretStr


class Client:
    def __init__(self) -> None:
        self.api_key = CANARIES["port"]


class Session:
    """Its ``repr`` tells what it holds, as that of a dataclass does."""

    def __repr__(self) -> str:
        return f"Session(token={CANARIES['event_object']!r})"


def given():
    """What a run starts with."""
    snapshot = ContextSnapshot(
        input_text=f"Please tell nobody that it is {CANARIES['input']}, will you?",
        conversation=Conversation(
            messages=(
                Message(role="user", content=f"I have said {CANARIES['message']} before"),
                Message(role="assistant", content=f"and I answered {CANARIES['answer']}"),
            )
        ),
        metadata={
            "client_secret": CANARIES["meta_name"],
            "login": Login(phrase=SecretStr(CANARIES["meta_type"])),
            "auth": {"cookies": [CANARIES["meta_deep"]]},
        },
    )
    data = {
        "note": f"call me back, I am {CANARIES['sentence']}",
        "password": CANARIES["data_name"],
        "login": Login(phrase=SecretStr(CANARIES["data_type"])),
    }
    return {"snapshot": snapshot, "data": data, "ports": CorePorts(llm=Client())}


def everything_in(ctx, config) -> str:
    """A text with all that a stage can read."""
    snapshot, data = ctx.snapshot, ctx.data
    return " | ".join(
        (
            snapshot.input_text,
            *(message.content for message in snapshot.messages),
            snapshot.metadata["client_secret"],
            snapshot.metadata["login"].phrase.get_secret_value(),
            snapshot.metadata["auth"]["cookies"][0],
            data["note"],
            data["password"],
            data["login"].phrase.get_secret_value(),
            ctx.inputs.ports.llm.api_key,
            ctx.inputs.get("session_key", ""),
            *(value for value in config if value),
            os.environ.get(KEY_NAME, ""),
            os.environ.get(URL_NAME, ""),
        )
    )


class Configured:
    """Every way to give a stage a secret."""

    kind = "work"

    def __init__(self, phrase: SecretStr, raw: SecretBytes, password: str) -> None:
        self.config = (phrase.get_secret_value(), raw.get_secret_value().decode(), password)


class Raises(Configured):
    async def execute(self, ctx):
        local = CANARIES["local"]
        try:
            try:
                raise KeyError(f"token: {CANARIES['context']}")
            except KeyError:
                raise OSError(f"https://bob:{CANARIES['cause']}@host") from None
        except OSError as cause:
            error = ValueError(everything_in(ctx, self.config), {"api_key": CANARIES["args"]})
            error.add_note(f"Authorization: Bearer {CANARIES['note']}")
            assert local
            raise error from cause


class RaisesInThread(Configured):
    def execute(self, ctx):
        def clean_up():
            raise OSError(everything_in(ctx, self.config), f"pwd={CANARIES['cleanup_thread']}")

        ctx.on_cleanup(clean_up)
        head = base64.urlsafe_b64encode(b'{"alg":"HS256"}').decode()
        told = f"eyJ{head}.{CANARIES['jwt']}.{CANARIES['jwt']}"
        begin = "-----BEGIN PRIVATE KEY" + "-----"
        block = f"{begin}\n{CANARIES['key_block']}"
        raise ExceptionGroup(
            everything_in(ctx, self.config),
            [ValueError(f"secret={CANARIES['group']}"), ValueError(told), ValueError(block)],
        )


class Tells(Configured):
    async def execute(self, ctx):
        async def clean_up():
            raise OSError(everything_in(ctx, self.config), f"pwd={CANARIES['cleanup']}")

        ctx.on_cleanup(clean_up)
        ctx.try_emit_event(
            "it.is.told",
            {
                "all": everything_in(ctx, self.config),
                "list": [{"apiKey": CANARIES["event_name"]}, (f"pwd={CANARIES['event_text']}",)],
                "session": Session(),
                "login": ctx.data["login"],
                "raw": b"token=" + CANARIES["event_bytes"].encode(),
            },
        )
        return {"told": True}

    async def teardown(self):
        raise RuntimeError(" ".join(self.config), f"pwd={CANARIES['teardown']}")


class Returns(Configured):
    """Ends as ``how`` says, and says why."""

    def __init__(self, how: str, **config) -> None:
        super().__init__(**config)
        self.how = how

    async def execute(self, ctx):
        text = f"{everything_in(ctx, self.config)} pwd={CANARIES[self.how]}"
        if self.how == "skip_signal":
            return {"skip_reason": text}
        if self.how == "routing":
            return RoutingDecision("here", 1.0, metadata={"why": text, "token": text})
        make = StageOutput.cancel_branch if self.how == "branch" else getattr(StageOutput, self.how)
        return make(text)


class RaisesInSetup(Configured):
    async def setup(self):
        raise ConnectionError(" ".join(self.config), f"pwd={CANARIES['setup']}")

    async def execute(self, ctx):
        return None


class OnInstance:
    kind = "work"

    def __init__(self) -> None:
        self.password = CANARIES["instance"]

    async def execute(self, ctx):
        raise ValueError(self.password)


async def upstream(ctx):
    return {"session_key": CANARIES["upstream"]}


async def follows(ctx):
    return None


class Loud(BaseInterceptor):
    def ended(self, stage_name, end, ctx):
        if end.error is not None:
            raise RuntimeError(f"{ctx.snapshot.input_text} pwd={CANARIES['interceptor']}")


def call_back(stage, error):
    raise RuntimeError(f"cannot report {error} pwd={CANARIES['callback']}") from error


def config(**more):
    return {
        "phrase": SecretStr(CANARIES["config_type"]),
        "raw": SecretBytes(CANARIES["config_bytes"].encode()),
        "password": CANARIES["config_name"],
        **more,
    }


def leaky(name="leaky"):
    """All of it in one pipeline that goes on whatever fails."""
    first = {"dependencies": "upstream"}
    pipeline = (
        Pipeline(name)
        .with_stage("upstream", upstream, "work")
        .with_stage("raises", Raises, config=config(), **first)
        .with_stage("in_thread", RaisesInThread, config=config(), **first)
        .with_stage("tells", Tells, config=config(), **first)
        .with_stage("instance", OnInstance(), **first)
        .with_stage("here", follows, "work", dependencies="routing", route=("here",))
        .with_stage("after", follows, "work", dependencies="skip_signal", conditional=True)
    )
    for how in ("skip", "branch", "fail", "skip_signal", "routing"):
        kind = "route" if how == "routing" else "work"
        pipeline = pipeline.with_stage(how, Returns, kind, config=config(how=how), **first)
    pipeline = pipeline.with_stage(
        "retry", Returns, config=config(how="retry"), retry=RetryPolicy(max_attempts=2), **first
    )
    mode = ExecutionMode.CONTINUE_WITH_CALLBACK
    execution = ExecutionConfig(mode=mode, on_stage_error=call_back)
    return pipeline.build(execution=execution, interceptors=[Loud()])


def cancelling():
    return (
        Pipeline("cancelling")
        .with_stage("upstream", upstream, "work")
        .with_stage("cancel", Returns, dependencies="upstream", config=config(how="cancel"))
    )


def failing():
    return (
        Pipeline("failing")
        .with_stage("upstream", upstream, "work")
        .with_stage("raises", Raises, dependencies="upstream", config=config())
    )


def unready():
    return Pipeline("unready").with_stage("s", RaisesInSetup, config=config())
