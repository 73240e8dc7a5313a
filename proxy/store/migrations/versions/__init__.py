"""One file a step, numbered; never edited after a release."""
