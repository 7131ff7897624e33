"""Media types of the documents that this room reads, and of what engines take for images."""

from __future__ import annotations

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1"

OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"

EMPTY = "application/vnd.oci.empty.v1+json"
EMPTY_CONTENT = b"{}"
"""The content of every empty descriptor (image-spec 1.1, 'Guidance for an Empty Descriptor')."""
SIGSTORE_BUNDLE = "application/vnd.dev.sigstore.bundle"
"""What the type of every version of a Sigstore bundle begins with: a signature, which is not itself signed."""

MANIFESTS = (OCI_MANIFEST, DOCKER_MANIFEST)
INDEXES = (OCI_INDEX, DOCKER_INDEX)
DOCUMENTS = MANIFESTS + INDEXES
