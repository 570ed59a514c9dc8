"""Routes for load balancers and monitoring: alive, and able to work."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from guardia.board.site.readiness import CachedReadiness

router = APIRouter()


@router.get("/healthz", summary="Whether the board is alive")
async def healthz() -> dict[str, str]:
    """Return `{"status": "ok"}`: the board answers, with or without its database."""
    return {"status": "ok"}


@router.get("/readyz", summary="Whether the installation can work")
def readyz(request: Request) -> JSONResponse:
    """Return each check with its numbers; 503 if one of them failed."""
    found: CachedReadiness = request.app.state.readiness
    latest = found.get()
    return JSONResponse(
        {"ready": latest.ready, "checks": latest.checks},
        status_code=200 if latest.ready else 503,
        headers={"cache-control": "no-store"},
    )
