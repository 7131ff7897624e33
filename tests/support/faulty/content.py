"""What the registry holds, and the requests that read and change it (distribution-spec 1.1).

Learned from docker-registry 2.8 and go-containerregistry 0.20; where they differ there is a switch.
"""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from tests.support.faulty.messages import INDEX, Reply, Request, as_json, digest_of, matches, refused

if TYPE_CHECKING:
    from collections.abc import Callable

_PATH = re.compile(r"/v2/(?P<name>.+?)/(?P<kind>manifests|blobs|referrers|tags)/(?P<rest>.*)")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_SPAN = re.compile(r"bytes=(\d+)-(\d*)")
_DOCUMENT = 4 << 20


@dataclass(slots=True)
class Upload:
    """A blob that is on its way."""

    name: str
    got: bytearray = field(default_factory=bytearray)
    turn: int = 0
    """How often its address changed."""


@dataclass(slots=True)
class Content:
    """Blobs and manifests, and the switches for how they are answered."""

    referrers_api: bool = True
    says_subject: bool = True
    filters: bool = True
    """Lists of referrers can be asked for one artifact type."""
    ranges: bool = True
    etags: bool = True
    relative_location: bool = True
    page: int = 1000
    """Entries on one page of referrers, tags or repositories."""
    chunk_least: int = 0
    """`OCI-Chunk-Min-Length`; smaller pieces but the last are refused."""
    single_post: bool = True
    """POST ?digest= takes the blob at once; docker-registry ignores it (202)."""
    mounts: bool = True
    strict_state: bool = False
    """Only the newest address of an upload counts, as for docker-registry; else also the first."""
    delete_tags: bool = True
    """DELETE of a tag takes only the tag away; docker-registry refuses it."""
    blobs_at: str = ""
    """Blobs are at this origin: `http://HOST:PORT`; GET is answered with 307."""
    after_put: Callable[[str], None] | None = None
    """Called with the path of every manifest that was put."""
    blobs: dict[str, bytes] = field(default_factory=dict)
    links: set[tuple[str, str]] = field(default_factory=set)
    """Which repository has which blob."""
    manifests: dict[tuple[str, str], tuple[str, bytes]] = field(default_factory=dict)
    """Media type and bytes by repository and tag or digest."""
    uploads: dict[str, Upload] = field(default_factory=dict)

    def answer(self, request: Request, body: bytes, host: str) -> Reply:
        """Returns the answer to a request that is allowed; `host` stands in absolute addresses."""
        if request.where.startswith("/elsewhere/"):
            found = self.blobs.get(request.where.removeprefix("/elsewhere/"))
            return _span(self, request, found) if found is not None else refused(404, "BLOB_UNKNOWN")
        if request.where in ("/v2/", "/v2"):
            return as_json({})
        if request.where == "/v2/_catalog":
            return self._page(request, sorted({name for name, _ in self.manifests}), "repositories", {})
        match = _PATH.fullmatch(request.where)
        if match is None:
            return Reply(404, b"404 page not found\n", {"Content-Type": "text/plain"})
        name, kind, rest = match["name"], match["kind"], match["rest"]
        if kind == "tags":
            return self._tags(request, name)
        if kind == "referrers":
            return self._referrers(request, name, rest)
        if kind == "manifests":
            return self._manifests(request, name, rest, body)
        if rest.startswith("uploads/"):
            return self._uploads(request, name, rest.removeprefix("uploads/"), body, host)
        return self._blobs(request, name, rest)

    # blobs

    def _blobs(self, request: Request, name: str, digest: str) -> Reply:
        if not _DIGEST.fullmatch(digest):
            return refused(400, "DIGEST_INVALID")
        if (name, digest) not in self.links or digest not in self.blobs:
            return refused(404, "BLOB_UNKNOWN")
        if request.method == "DELETE":
            self.links.discard((name, digest))
            return Reply(202)
        if self.blobs_at and request.method == "GET":
            return Reply(307, headers={"Location": f"{self.blobs_at}/elsewhere/{digest}"})
        return _span(self, request, self.blobs[digest], digest)

    def _keep(self, name: str, digest: str, content: bytes, host: str) -> Reply:
        if not matches(content, digest):
            return refused(400, "DIGEST_INVALID")
        self.blobs[digest] = content
        self.links.add((name, digest))
        return Reply(
            201, headers={"Location": self._at(f"/v2/{name}/blobs/{digest}", host), "Docker-Content-Digest": digest}
        )

    def _uploads(self, request: Request, name: str, session: str, body: bytes, host: str) -> Reply:
        if request.method == "POST" and not session:
            mount, origin, digest = request.query("mount"), request.query("from"), request.query("digest")
            if mount and self.mounts and (origin, mount) in self.links:
                return self._keep(name, mount, self.blobs[mount], host)
            if digest and self.single_post:
                return self._keep(name, digest, body, host)
            session = secrets.token_hex(8)
            self.uploads[session] = Upload(name)
            return self._progress(202, session, host)
        upload = self.uploads.get(session)
        if upload is None or upload.name != name or not self._is_current(request, upload):
            return refused(404, "BLOB_UPLOAD_UNKNOWN")
        if request.method == "GET":
            return self._progress(204, session, host)
        if request.method == "DELETE":
            del self.uploads[session]
            return Reply(204)
        if request.method == "PATCH":
            return self._more(request, session, body, host)
        digest = request.query("digest") or ""
        if request.header("Content-Range") and not _goes_on(request, upload, body):
            return self._progress(416, session, host)
        reply = self._keep(name, digest, bytes(upload.got) + body, host)
        del self.uploads[session]
        return reply

    def _more(self, request: Request, session: str, body: bytes, host: str) -> Reply:
        upload = self.uploads[session]
        if request.header("Content-Range") and not _goes_on(request, upload, body):
            return self._progress(416, session, host)
        if upload.got and len(upload.got) % max(self.chunk_least, 1):
            return refused(400, "SIZE_INVALID", message="a piece after one that was too small")
        upload.got += body
        upload.turn += 1
        return self._progress(202, session, host)

    def keep_part(self, request: Request, body: bytes) -> None:
        """Takes what had come of a PATCH when its connection broke."""
        upload = self.uploads.get(request.where.rpartition("/")[2])
        if request.method == "PATCH" and upload is not None and body and self._is_current(request, upload):
            upload.got += body
            upload.turn += 1

    def _is_current(self, request: Request, upload: Upload) -> bool:
        state = request.query("state")
        return state == f"a/b {upload.turn}" if self.strict_state else (state or "").startswith("a/b ")

    def _progress(self, status: int, session: str, host: str) -> Reply:
        upload = self.uploads[session]
        address = f"/v2/{upload.name}/blobs/uploads/{session}?state={quote(f'a/b {upload.turn}', safe='')}"
        headers = {"Location": self._at(address, host), "Range": f"0-{max(len(upload.got) - 1, 0)}"}
        if self.chunk_least:
            headers["OCI-Chunk-Min-Length"] = str(self.chunk_least)
        return Reply(status, headers={**headers, "Docker-Upload-UUID": session})

    def _at(self, address: str, host: str) -> str:
        return address if self.relative_location else f"{host}{address}"

    # manifests

    def _manifests(self, request: Request, name: str, selector: str, body: bytes) -> Reply:
        if request.method == "PUT":
            return self._put(request, name, selector, body)
        found = self.manifests.get((name, selector))
        if found is None:
            return refused(404, "MANIFEST_UNKNOWN")
        media_type, raw = found
        if request.method == "DELETE":
            return self._delete(name, selector)
        accepted = request.header("Accept")
        if (
            accepted
            and media_type not in accepted
            and "*/*" not in accepted
            and media_type.startswith("application/vnd")
        ):
            return refused(404, "MANIFEST_UNKNOWN", message="manifest found, but accept header does not support it")
        digest = selector if ":" in selector else digest_of(raw)
        headers = {"Content-Type": media_type, "Docker-Content-Digest": digest, "ETag": f'"{digest}"'}
        if request.header("If-None-Match") == headers["ETag"]:
            return Reply(304, headers={"ETag": headers["ETag"]})
        return Reply(200, raw, headers)

    def _put(self, request: Request, name: str, selector: str, body: bytes) -> Reply:
        if len(body) > _DOCUMENT:
            return refused(413, "SIZE_INVALID")
        try:
            document = json.loads(body)
        except ValueError:
            return refused(400, "MANIFEST_INVALID")
        digest = selector if ":" in selector else digest_of(body)
        if not matches(body, digest):
            return refused(400, "DIGEST_INVALID")
        for part in [document.get("config"), *document.get("layers", [])]:
            if part and (name, part["digest"]) not in self.links:
                return refused(400, "MANIFEST_BLOB_UNKNOWN")
        self.manifests[name, selector] = self.manifests[name, digest] = request.header("Content-Type"), body
        headers = {"Docker-Content-Digest": digest, "Location": f"/v2/{name}/manifests/{digest}"}
        if self.referrers_api and self.says_subject and "subject" in document:
            headers["OCI-Subject"] = document["subject"]["digest"]
        if self.after_put:
            self.after_put(request.path)
        return Reply(201, headers=headers)

    def _delete(self, name: str, selector: str) -> Reply:
        if ":" not in selector and not self.delete_tags:
            return refused(400, "DIGEST_INVALID")
        raw = self.manifests[name, selector][1]
        for key in [key for key, (_, other) in self.manifests.items() if key[0] == name and other == raw]:
            if ":" in selector or key == (name, selector):
                del self.manifests[key]
        return Reply(202)

    # lists

    def _tags(self, request: Request, name: str) -> Reply:
        tags = sorted(key for where, key in self.manifests if where == name and ":" not in key)
        if not any(where == name for where, _ in self.manifests):
            return refused(404, "NAME_UNKNOWN")
        return self._page(request, tags, "tags", {"name": name})

    def _page(self, request: Request, names: list[str], key: str, document: dict[str, object]) -> Reply:
        most = min(int(request.query("n") or self.page), self.page)
        left = [name for name in names if name > (request.query("last") or "")]
        reply = as_json({**document, key: left[:most]})
        if len(left) > most:
            reply.headers["Link"] = f'<{request.where}?n={most}&last={quote(left[most - 1], safe="")}>; rel="next"'
        return reply

    def _referrers(self, request: Request, name: str, digest: str) -> Reply:
        if not self.referrers_api:
            return Reply(404, b"404 page not found\n", {"Content-Type": "text/plain"})
        wanted = request.query("artifactType") if self.filters else None
        entries = [
            entry
            for (where, key), (media_type, raw) in list(self.manifests.items())
            if where == name and key.startswith("sha256:")
            for entry in _about(digest, media_type, key, raw)
            if wanted in (None, entry["artifactType"])
        ]
        start = int(request.query("start") or "0")
        shown, left = entries[start : start + self.page], entries[start + self.page :]
        headers = {"Content-Type": INDEX, **({"OCI-Filters-Applied": "artifactType"} if wanted else {})}
        if left:
            more = f"&artifactType={quote(wanted, safe='')}" if wanted else ""
            headers["Link"] = f'</v2/{name}/referrers/{digest}?start={start + self.page}{more}>; rel="next"'
        body = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": shown}).encode()
        return Reply(200, body, headers)


def _about(digest: str, media_type: str, key: str, raw: bytes) -> list[dict[str, object]]:
    """Returns the entry of a manifest in the list of its subject's referrers, [] when it is about something else."""
    document = json.loads(raw)
    if document.get("subject", {}).get("digest") != digest:
        return []
    kind = document.get("artifactType") or document.get("config", {}).get("mediaType")
    entry = {"mediaType": media_type, "digest": key, "size": len(raw), "artifactType": kind}
    return [{**entry, "annotations": document.get("annotations", {})}]


def _goes_on(request: Request, upload: Upload, body: bytes) -> bool:
    start, _, end = request.header("Content-Range").removeprefix("bytes ").partition("/")[0].partition("-")
    return start == str(len(upload.got)) and end == str(len(upload.got) + len(body) - 1)


def _span(content: Content, request: Request, whole: bytes, digest: str = "") -> Reply:
    """Returns a blob, or the part of it that is asked for."""
    headers = {"Content-Type": "application/octet-stream"}
    etag = f'"{digest or digest_of(whole)}"'
    if content.etags:
        headers["ETag"] = etag
    if digest:
        headers["Docker-Content-Digest"] = digest
    span = _SPAN.fullmatch(request.header("Range"))
    if span is None or not content.ranges or request.header("If-Range") not in ("", etag):
        return Reply(200, whole, headers)
    start, size = int(span[1]), len(whole)
    if start >= size:
        return refused(416, "RANGE_INVALID", {"Content-Range": f"bytes */{size}"})
    end = min(int(span[2] or size), size - 1)
    return Reply(206, whole[start : end + 1], {**headers, "Content-Range": f"bytes {start}-{end}/{size}"})
