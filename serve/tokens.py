"""Who a token belongs to, where an issuer signs them: what ``config/production.yaml`` names.

It needs the extra ``auth``, and three variables in the environment of every process of Serve.
"""

from __future__ import annotations

import os

from stageflow_actors.security import JwksUrl, JwtVerifier


def verifier() -> JwtVerifier:
    """Takes tokens of ``TOKEN_ISSUER`` for ``TOKEN_AUDIENCE``; keys are at ``TOKEN_KEYS_URL``."""
    return JwtVerifier(
        keys=JwksUrl(os.environ["TOKEN_KEYS_URL"]),
        algorithms=["RS256", "ES256"],
        issuer=os.environ["TOKEN_ISSUER"],
        audience=os.environ["TOKEN_AUDIENCE"],
    )
