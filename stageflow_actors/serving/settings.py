"""``ServingSettings``: the bounds of the door that its operator may change."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(gt=0)]
PerSecond = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class ServingSettings(BaseModel):
    """Bounds of the door. Each names what happens when it is reached."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_body_bytes: Count = 4 * 2**20
    """Bytes of a request's body; a larger one is refused unread with ``SERVE-BODY-SIZE``."""

    body_timeout_s: Seconds = 30.0
    """How long a body may take to arrive; longer is refused with ``SERVE-BODY-TIMEOUT``."""

    max_json_depth: Annotated[int, Field(gt=0, le=100)] = 64
    """Levels of nesting in a body; deeper is refused with ``SERVE-JSON``."""

    max_json_values: Count = 100_000
    """Values, keys and containers of a body together; more are refused with ``SERVE-JSON``."""

    default_timeout_s: Seconds | None = None
    """How long a run may take whose request names no deadline; ``None``: as long as it takes."""

    max_timeout_s: Seconds = 3600.0
    """The longest deadline that a request may name; longer is refused with ``SERVE-HEADER``."""

    max_live_runs_per_tenant: Count = 1_000
    """Runs of one tenant that have not ended; more are refused with ``SERVE-TOO-MANY-RUNS``."""

    max_runs_per_s_per_tenant: PerSecond | None = None
    """Runs that one tenant may start in a second, of each pipeline, and as many at once; more are
    refused with ``SERVE-TOO-FAST``. ``None``: as many as it likes."""

    max_streams_per_tenant: Count = 100
    """Streams of events that one tenant reads; more are refused with ``SERVE-TOO-MANY-STREAMS``."""

    max_runs_per_socket: Count = 32
    """Runs on one WebSocket at a time; more are refused with ``SERVE-TOO-MANY-RUNS``."""

    max_bad_messages_per_socket: Count = 32
    """Messages that cannot be used; more close their WebSocket with the code 4400."""

    kept_s: Seconds = 900.0
    """How long an ended run is kept; then asking for it is answered with ``SERVE-RUN-EXPIRED``."""

    max_kept_runs: Count = 1_000
    """Ended runs that are kept; beyond it the one that ended first goes."""

    max_kept_bytes: Count = 64 * 2**20
    """Bytes of the ended runs that are kept; beyond it those that ended first go."""

    max_expired_ids: Count = 10_000
    """Ids remembered of runs that went; an older one is unknown, ``SERVE-RUN-UNKNOWN``."""

    max_event_bytes: Count = 256 * 2**10
    """Bytes of one event on the wire; a larger one is told without its data, and says so."""

    max_tape_bytes: Count = 16 * 2**20
    """Bytes of the events and pieces that one run keeps for its readers; beyond it the oldest go,
    and who wants them is answered with ``SERVE-CURSOR-GONE``."""

    stream_window_bytes: Count = 256 * 2**10
    """Bytes of pieces that may wait for a reader that gives credits; beyond it the stages wait
    where they stream."""

    event_delay_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.01
    """Events wait so long for others, as each that travels alone costs as much as many together;
    pieces of streams wait for nothing."""

    heartbeat_s: Seconds = 15.0
    """A stream of events without news has a comment this often."""

    max_unread_bytes: Count = 2**20
    """Bytes of events that may wait for a client that does not read; more close its stream, with
    the cursor to resume from."""

    max_stream_bytes: Count | None = None
    """Bytes of one answer with events; after them it closes with the cursor to resume from. For
    where a proxy takes whatever is sent, and nobody can see whether the client reads; ``None``:
    no bound. Answers of the OpenAI API have no cursor, and are never cut by it."""

    patience_s: Seconds = 1.0
    """How long a client may take for one event before it counts as one that does not read."""

    max_stall_s: Seconds = 60.0
    """How long a client may read nothing at all; longer ends its connection."""

    verifier_timeout_s: Seconds = 5.0
    """How long a token may take to be verified; longer is refused."""

    drain_s: Seconds = 10.0
    """How long live runs may take to end on shutdown; then they are cancelled."""

    sweep_s: Seconds = 10.0
    """How often ended runs are looked at that have been kept for long enough."""

    reveal_failures: bool = False
    """Whether clients see the messages and types of exceptions, which may name files and code."""

    keeper_left_s: Seconds = 20.0
    """Behind Ray Serve: how long the keeper of a version stays when its last replica has left,
    while there is none of another version. Serve may end a replica before it starts the next."""

    keeper_lost_s: Seconds = 15.0
    """How long a replica may be silent; then it counts as lost."""

    keeper_orphaned_s: Seconds = 60.0
    """How long a keeper stays whose last replica is lost: Serve may start another one."""
