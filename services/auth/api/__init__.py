"""Who asked over HTTP? One file for each thing that is asked for."""

from fastapi import APIRouter

from services.auth.api import (
    audit,
    devices,
    erasures,
    exports,
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
    exports,
    erasures,
    signing_keys,
    oauth,
    devices,
    audit,
):
    router.routes.extend(_part.router.routes)
