"""The parts of the tests' own registry: `tests.support.fake_registry` puts them together."""
