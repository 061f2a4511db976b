"""``lossy_rpc``: the environment in which Ray loses some of its own messages."""

from __future__ import annotations

import json

from stageflow_actors.testing.chaos.given import check_number, check_whole


def lossy_rpc(
    *,
    lost_requests: float = 0.0,
    lost_replies: float = 0.0,
    method: str = "PushTask",
    most: int | None = None,
) -> dict[str, str]:
    """Environment variables for a separate Ray session that loses calls between its processes.

    ``lost_requests`` is the share of calls that never arrive, ``lost_replies`` of those that do
    their work and are never heard of: 0 to 1, in steps of 0.01, at most 1 together. The caller gets
    ``ActorUnavailableError`` for either. ``method`` is what Ray calls it: ``PushTask`` is every
    call of an actor, its creation included. Each process loses at most ``most`` of them.

    Set them before that session is started: in the ``env=`` of a subprocess that calls
    ``ray.init(address="local")``. Ray uses them for its own tests, and may change them.

    Raises:
        ValueError: a share or ``most`` is out of range, nothing would be lost, or ``method`` is no
            name.
    """
    requests = _percent("lost_requests", lost_requests)
    replies = _percent("lost_replies", lost_replies)
    if not 0 < requests + replies <= 100:
        raise ValueError(
            f"lost_requests={lost_requests} and lost_replies={lost_replies}: "
            "give more than 0 and at most 1 together."
        )
    if not isinstance(method, str) or not method.isidentifier():
        raise ValueError(f"method is {method!r:.80}: give a name, as PushTask.")
    if most is not None:
        check_whole("most", most, least=1)
    losses = {
        "num_failures": -1 if most is None else most,
        "req_failure_prob": requests,
        "resp_failure_prob": replies,
        "in_flight_failure_prob": 0,
    }
    return {
        "RAY_testing_rpc_failure": json.dumps({f"CoreWorkerService.grpc_client.{method}": losses}),
        "RAY_testing_rpc_failure_avoid_intra_node_failures": "0",
    }


def _percent(name: str, share: float) -> int:
    """``share`` in the whole percents that Ray knows: it drops what is behind the point."""
    check_number(name, share, most=1)
    percent = round(share * 100)
    if abs(percent - share * 100) > 1e-9:
        raise ValueError(f"{name} is {share!r}: Ray counts in steps of 0.01.")
    return percent
