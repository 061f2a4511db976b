"""Several checks of one run, as a deployment asks them."""

from uuid import UUID

import pytest

from stageflow_actors import (
    AuthContext,
    AuthInterceptor,
    OrgEnforcementInterceptor,
    PipelineContext,
    TenantAccessDeniedError,
)
from tests.security.test_admission import ORG, OTHER_ORG, TOKEN, USER, Verifier


async def asked(checks, context):
    """In the order of their priority, as a deployment asks them."""
    for check in sorted(checks, key=lambda each: each.priority):
        context = await check.admit(context)
    return context


@pytest.mark.parametrize("claimed", [None, OTHER_ORG])
async def test_the_organisation_is_known_before_it_is_compared(claimed):
    checks = [OrgEnforcementInterceptor(), AuthInterceptor(Verifier(AuthContext(USER, ORG)))]
    data = {"auth_token": TOKEN, "_resource_org_id": ORG}
    admitted = await asked(checks, PipelineContext.create(data=data, org_id=claimed))
    assert isinstance(admitted.org_id, UUID)
    assert admitted.org_id == ORG
    with pytest.raises(TenantAccessDeniedError):
        data["_resource_org_id"] = OTHER_ORG
        await asked(checks, PipelineContext.create(data=data, org_id=claimed))
