"""Who asked over HTTP? One file for each thing that is asked for."""

from fastapi import APIRouter

from services.auth.api import kyc, me, onboarding, profile, registration, sessions, signing_keys

router = APIRouter()
for _part in (registration, sessions, me, profile, kyc, onboarding, signing_keys):
    router.routes.extend(_part.router.routes)
