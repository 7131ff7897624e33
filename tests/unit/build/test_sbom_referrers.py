"""Documents as referrers: the manifest that OCI wants, found again, and junk beside them passed over."""

from __future__ import annotations

import json

from bpfimg import build
from bpfimg._value import replace
from bpfimg.build._documents import origin, sboms
from bpfimg.build._made import Built
from bpfimg.build._referrer import SPDX, Document, attach, content_of, referrers
from bpfimg.oci import Descriptor, Digest, Index, Manifest, Memory, Platform, Repository
from tests.support.objects import example

REPOSITORY = Repository.parse("registry.example/team/xdp_counter")
DOCUMENT = Document(SPDX, "xdp.spdx.json", b'{"a":1}', "2026-01-01T00:00:00Z")


def _images() -> list[Built]:
    return [
        Built(build.image(example("xdp_counter"), file_name="xdp.o", platform=Platform("linux", arch)), ())
        for arch in ("amd64", "arm64")
    ]


def _place() -> tuple[Memory, Descriptor]:
    place = Memory(REPOSITORY)
    return place, build.store([each.image for each in _images()], place, "v1")


def test_the_manifest_is_that_of_an_artifact() -> None:
    place, top = _place()
    where = attach(place, top, DOCUMENT)
    manifest = json.loads(place.fetch(where))
    assert manifest == {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactType": "application/spdx+json",
        "config": {
            "mediaType": "application/vnd.oci.empty.v1+json",
            "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
            "size": 2,
        },
        "layers": [
            {
                "mediaType": "application/spdx+json",
                "digest": str(Digest.of(b'{"a":1}')),
                "size": 7,
                "annotations": {"org.opencontainers.image.title": "xdp.spdx.json"},
            }
        ],
        "subject": {"mediaType": top.media_type, "digest": str(top.digest), "size": top.size},
        "annotations": {"org.opencontainers.image.created": "2026-01-01T00:00:00Z"},
    }


def test_a_statement_says_its_predicate_type_where_lists_show_it() -> None:
    place, top = _place()
    subject, document = origin(_images(), top, REPOSITORY)
    manifest = Manifest.parse(place.fetch(attach(place, subject, document)))
    assert subject == top
    assert manifest.annotations["in-toto.io/predicate-type"] == "https://slsa.dev/provenance/v1"
    assert manifest.layers[0].annotations["in-toto.io/predicate-type"] == "https://slsa.dev/provenance/v1"
    statement = json.loads(place.fetch(manifest.layers[0]))
    children = Index.parse(place.fetch(top)).manifests
    assert [each["digest"]["sha256"] for each in statement["subject"]] == [
        top.digest.hex,
        *(child.digest.hex for child in children),
    ]


def test_sboms_are_about_the_images_of_an_index() -> None:
    place, top = _place()
    about = [subject.digest for subject, _ in sboms(_images(), REPOSITORY, "spdx")]
    assert about == [child.digest for child in Index.parse(place.fetch(top)).manifests]


def test_attached_twice_is_attached_once() -> None:
    place, top = _place()
    assert attach(place, top, DOCUMENT) == attach(place, top, DOCUMENT)
    (found,) = referrers(place, top.digest)
    assert (found.artifact_type, found.title, found.created) == (SPDX, "xdp.spdx.json", "2026-01-01T00:00:00Z")
    assert content_of(place, found.layers[0]) == b'{"a":1}'


class Lying(Memory):
    """A registry that lists what it likes."""

    listed: tuple[Descriptor, ...] = ()

    def referrers(self, digest: Digest) -> tuple[Descriptor, ...]:
        return self.listed


def test_what_a_registry_lists_wrongly_is_passed_over() -> None:
    place = Lying(REPOSITORY)
    one, other = (build.store([each.image], place) for each in _images())
    good = attach(place, one, DOCUMENT)
    elsewhere = attach(place, other, DOCUMENT)
    missing = Descriptor.of(b"{}", good.media_type)
    place.listed = (
        missing,
        elsewhere,
        one,  # an image without a subject
        replace(good, artifact_type="application/vnd.example.other"),
        replace(good, size=good.size + 1),
        replace(good, media_type="application/vnd.oci.image.index.v1+json"),
    )
    assert [(each.descriptor.digest, each.artifact_type) for each in referrers(place, one.digest)] == [
        (good.digest, SPDX)
    ]
