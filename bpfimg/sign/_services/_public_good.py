"""The public-good services of Sigstore, as the installed sigstore package knows them."""

from __future__ import annotations

from bpfimg.errors import UsageError
from bpfimg.sign._evidence._published import published
from bpfimg.sign._services._config import TrustConfig

_ORIGIN = "sigstore-public-good"


def public_good(now: float) -> TrustConfig:
    """Returns the configuration of the public-good services; UsageError when the package is not installed."""
    signing, root = published("signing_config.v0.2.json"), published("trusted_root.json")
    if signing is None or root is None:
        raise UsageError(
            "the public Sigstore services are not known here: the package sigstore is not installed",
            hint="pip install 'bpfimg[keyless]', or name services with --trust-config, or sign with --key",
        )
    return TrustConfig.of(signing, root, _ORIGIN, _ORIGIN, now)
