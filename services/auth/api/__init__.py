"""Who asked over HTTP? One file for each thing that is asked for."""

from fastapi import APIRouter

from services.auth.api import audit, devices, me, oauth, passwords, registration, sessions, signing_keys

router = APIRouter()
for _part in (registration, sessions, passwords, me, signing_keys, oauth, devices, audit):
    router.routes.extend(_part.router.routes)
