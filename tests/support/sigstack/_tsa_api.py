"""The API of Sigstore's timestamp authority: RFC 3161 requests over HTTP."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING

from asn1crypto import tsp

from tests.support.sigstack._service import Answer, RefusedError, Request

if TYPE_CHECKING:
    from tests.support.sigstack._tsa import Tsa

_ALGORITHMS = ("sha256", "sha384", "sha512")


class TsaApi:
    """Answers for a timestamp authority; `time` is the clock that it reads."""

    def __init__(self, tsa: Tsa) -> None:
        self._tsa, self.time = tsa, time.time

    def respond(self, request: Request) -> Answer:
        """Answers one request."""
        match request.method, request.path:
            case "POST", "/api/v1/timestamp":
                return Answer(self._stamp(request.body), 201, "application/timestamp-reply")
            case "GET", "/api/v1/timestamp/certchain":
                from tests.support.sigstack._authority import pem

                return Answer(b"".join(pem(each) for each in self._tsa.chain), kind="application/pem-certificate-chain")
        raise RefusedError(404, f"{request.method} {request.path}")

    def _stamp(self, data: bytes) -> bytes:
        try:
            asked = tsp.TimeStampReq.load(data, strict=True).native
        except (ValueError, TypeError) as error:
            raise RefusedError(400, f"no timestamp request: {error}") from error
        imprint = asked["message_imprint"]
        algorithm, hashed = imprint["hash_algorithm"]["algorithm"], imprint["hashed_message"]
        if algorithm not in _ALGORITHMS or len(hashed) != hashlib.new(algorithm).digest_size:
            raise RefusedError(400, f"the imprint is no hash of {algorithm}")
        return self._tsa.answer(algorithm, hashed, at=self.time(), nonce=asked["nonce"], embed=asked["cert_req"])
