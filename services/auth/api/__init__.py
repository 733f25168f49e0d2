"""Who asked over HTTP? One file for each thing that is asked for."""

from fastapi import APIRouter

from services.auth.api import audit, me, registration, sessions, signing_keys

router = APIRouter()
for _part in (registration, sessions, me, signing_keys, audit):
    router.routes.extend(_part.router.routes)
