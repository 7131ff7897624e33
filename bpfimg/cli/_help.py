"""Paragraphs that the help texts of several verbs have in common."""

from __future__ import annotations

__all__ = ["PULL", "TRANSPORTS"]

PULL = """\
--pull says when the registry is asked:
  always   every time: what the name means now, and for signatures that are new;
           an error when the registry cannot be reached
  missing  when the store lacks the image, or a part of it is gone or altered
  newer    as always; without a registry, a warning and what the store has
  never    never, not for signatures either
Only what the store lacks moves. A transport (registry:NAME, oci:DIR[:REF] and so on) says where the image is, so there
is no policy beside one: `run`, `load` and `verify` take it from there and keep nothing."""

TRANSPORTS = """\
Without a transport an image is looked for in the local store first, then in its registry. registry:NAME, store:NAME,
oci:DIR[:REF], oci-archive:FILE[:REF], docker-archive:FILE[:REF] and docker-daemon:NAME say where it is."""
