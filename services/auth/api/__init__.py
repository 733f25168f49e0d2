"""Who asked over HTTP? One file for each thing that is asked for."""

from fastapi import APIRouter

from services.auth.api import (
    api_keys,
    audit,
    customers,
    devices,
    invitations,
    kyc,
    me,
    members,
    oauth,
    onboarding,
    passkeys,
    passwords,
    profile,
    registration,
    second_factors,
    second_step,
    sessions,
    signing_keys,
    step_up,
    support,
    support_grants,
    users,
    workspaces,
)

router = APIRouter()
for _part in (
    registration,
    sessions,
    second_step,
    step_up,
    passwords,
    me,
    second_factors,
    passkeys,
    profile,
    kyc,
    onboarding,
    signing_keys,
    oauth,
    devices,
    workspaces,
    members,
    invitations,
    api_keys,
    audit,
    users,
    support_grants,
    support,
    customers,
):
    router.routes.extend(_part.router.routes)
