"""Who asked over HTTP? One file for each thing that is asked for."""

from fastapi import APIRouter

from services.auth.api import (
    audit,
    customers,
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
    support,
    support_grants,
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
    audit,
    support_grants,
    support,
    customers,
):
    router.routes.extend(_part.router.routes)
