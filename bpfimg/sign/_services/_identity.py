"""Identity tokens: the one at hand in a CI job, the one that somebody gives, the one that a browser brings.

A token says who signs. It is a secret until it expires: it stands in no message and in no command line. Only the
certificate authority checks it; here it is read for being one, so that what is wrong with it is said at once.
"""

from __future__ import annotations

from bpfimg.errors import ServiceError, UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sigstore.oidc import IdentityToken, Issuer

    from bpfimg.sign._services._config import TrustConfig

_LARGEST = 64 * 1024
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_INSTALL = "pip install 'bpfimg[keyless]'"


def read_token(text: str) -> IdentityToken:
    """Returns the token in `text`; UsageError for what is none, is not for sigstore, or has expired."""
    _installed()
    import jwt
    from sigstore.oidc import IdentityError, IdentityToken

    if len(text) > _LARGEST:
        raise UsageError(f"the identity token has {len(text)} characters, expected at most {_LARGEST}")
    try:
        found = IdentityToken(text.strip())
        if not (isinstance(found.identity, str) and isinstance(found.issuer, str)):
            raise TypeError
    except IdentityError as error:
        cause = error.__cause__
        if isinstance(cause, jwt.ExpiredSignatureError):
            reason = "it has expired"
        elif isinstance(cause, jwt.InvalidAudienceError):
            reason = "it is for somebody else, expected the audience sigstore"
        elif isinstance(cause, jwt.MissingRequiredClaimError):
            reason = f"it lacks the claim {quoted(cause.claim)}"
        elif "validity period" in str(error):  # within sigstore-python's leeway of five seconds
            reason = "it has expired, or is not good yet"
        else:
            reason = quoted(error) if cause is None else "it is no JSON web token"
        raise UsageError(f"the identity token cannot be used: {reason}") from None  # the cause may quote the token
    except (TypeError, ValueError, LookupError, AttributeError):  # claims of other kinds than sigstore-python expects
        raise UsageError("the identity token cannot be used: it is no JSON web token that says who signs") from None
    return found


def named(token: IdentityToken) -> tuple[str, str]:
    """Returns whom a certificate for the token will most likely name, and the issuer. Asks nobody.

    Which claim it is, is for the certificate authority to say: of people it takes the address where there is one.
    """
    import jwt

    address = jwt.decode(str(token), options={"verify_signature": False}).get("email")
    return address if isinstance(address, str) and address else token.identity, token.issuer


def ambient_token() -> str | None:
    """Returns the token of the CI job or cloud machine that this runs in (GitHub, GitLab, Google Cloud, Buildkite,
    CircleCI), None where it runs in none of them; `ServiceError` when one of them does not give it."""
    _installed()
    from sigstore.oidc import IdentityError, detect_credential

    try:
        return detect_credential()
    except IdentityError as error:
        hint = "the job needs `permissions: id-token: write`" if "GitHub" in str(error) else ""
        raise ServiceError(f"this CI job gives no identity token: {quoted(error, 200)}", hint=hint) from None
    except (OSError, ValueError, AttributeError) as error:
        raise ServiceError(f"this CI job gives no identity token: {quoted(error, 200)}") from None


def browser_token(config: TrustConfig, *, browser: bool) -> str:
    """Returns the token of a person who logs in: in a browser that is opened here, or (`browser` False) anywhere, from
    where a code is typed in. Says on stderr what to do. `ServiceError` when that comes to nothing."""
    _installed()
    from sigstore.errors import Error
    from sigstore.oidc import Issuer, IssuerError

    if config.provider is None:
        raise UsageError(f"{config.origin} names no identity provider, expected oidcUrls, or an --identity-token")
    _encrypted(config.provider.url)
    doing = f"log in at {quoted(config.provider.url)}"
    try:
        issuer = Issuer(config.provider.url)
        for place in (issuer.oidc_config.authorization_endpoint, issuer.oidc_config.token_endpoint):
            _encrypted(place)
        return str(_asked(issuer, browser=browser))
    except EOFError as error:
        raise UsageError(f"cannot {doing}: no code was typed, expected the one that the browser shows") from error
    except (Error, IssuerError, OSError) as error:  # requests' errors are OSErrors
        reasons = [quoted(each) for each in (error, error.__cause__) if str(each or "")]
        raise ServiceError(f"cannot {doing}: {': '.join(reasons) or 'no reason is given'}") from error
    except (ValueError, LookupError, AttributeError, TypeError) as error:
        raise ServiceError(f"cannot {doing}: its answer is none ({quoted(error)})") from error


def _asked(issuer: Issuer, *, browser: bool) -> IdentityToken:
    return issuer.identity_token(force_oob=not browser)


def _encrypted(url: str) -> None:
    """Raises UsageError for an address that would show passwords to everybody on the way."""
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise UsageError(f"the identity provider's address {quoted(url)} is not encrypted, expected an https URL")


def _installed() -> None:
    from importlib.util import find_spec

    if find_spec("sigstore") is None:
        raise UsageError("signing without a key needs sigstore, which is not installed", hint=_INSTALL)
