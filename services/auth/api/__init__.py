"""Who asked over HTTP? One file for each thing that is asked for."""

from fastapi import APIRouter

from services.auth.api import (
    audit,
    devices,
    invitations,
    kyc,
    me,
    members,
    oauth,
    onboarding,
    passwords,
    profile,
    registration,
    sessions,
    signing_keys,
    users,
    workspaces,
)

router = APIRouter()
for _part in (
    registration,
    sessions,
    passwords,
    me,
    profile,
    kyc,
    onboarding,
    signing_keys,
    oauth,
    devices,
    workspaces,
    members,
    invitations,
    audit,
    users,
):
    router.routes.extend(_part.router.routes)
