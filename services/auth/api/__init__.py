"""Who asked over HTTP? One file for each thing that is asked for."""

from fastapi import APIRouter

from services.auth.api import (
    api_keys,
    audit,
    devices,
    kyc,
    me,
    oauth,
    onboarding,
    passwords,
    profile,
    registration,
    sessions,
    signing_keys,
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
    api_keys,
    audit,
):
    router.routes.extend(_part.router.routes)
