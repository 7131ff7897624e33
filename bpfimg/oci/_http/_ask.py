"""One request to a web service that is no registry, with the same patience, proxies and TLS; no login, no second try.

What signing asks (certificate and timestamp authorities, logs) has effects that are not to be had twice, and carries
tokens that go nowhere else: redirects are not followed.
"""

from __future__ import annotations

from bpfimg._value import field, replace, value
from bpfimg.errors import RegistryError, quoted
from bpfimg.oci._http._answers import no_answer, read_whole
from bpfimg.oci._http._proxy import is_loopback
from bpfimg.oci._http._wire import COMMON, parted, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpfimg.oci._http._connections import Connections


@value(frozen=True, slots=True)
class Answer:
    """What a service answered: its status, its headers (names in any case), and the whole content."""

    status: int
    headers: Mapping[str, str]
    content: bytes = field(repr=False)


def ask(
    connections: Connections,
    method: str,
    url: str,
    doing: str,
    *,
    body: bytes | None,
    headers: Mapping[str, str],
    limit: int,
) -> Answer:
    """Returns the answer to one request, whatever its status; RegistryError `cannot DOING: ...` when there is none
    within the time and the `limit` (bytes), or when the address is not https (http only on loopback).

    Certificates are always checked: what the user said about registries counts for registries.
    """
    from urllib3.exceptions import HTTPError

    from bpfimg.oci._http._clock import NEVER

    scheme, host, target = parted(url)
    if scheme != "https" and not is_loopback(host):
        raise RegistryError(f"cannot {doing}: {shown(url)} is not encrypted, expected an https URL")
    options = replace(connections.options, insecure_skip_tls_verify=False)
    pool, prefix = connections.pool(scheme, host, options)
    try:
        response = pool.urlopen(
            method,
            prefix + target,
            body=body,
            headers={**COMMON, **headers},
            redirect=False,
            retries=NEVER,
            assert_same_host=False,
            preload_content=False,
            decode_content=False,
        )
    except HTTPError as error:
        raise no_answer(error, doing, host) from error
    try:
        coding = response.headers.get("Content-Encoding", "identity")
        if coding.lower() != "identity":
            raise RegistryError(
                f"cannot {doing}: {host} sends its answer encoded as {quoted(coding)}, expected it plain"
            )
        content = read_whole(response, limit, doing, host)
    finally:
        response.close()
    if len(content) > limit:
        raise RegistryError(f"cannot {doing}: {host} answers with more than {limit} bytes")
    return Answer(response.status, response.headers, content)
