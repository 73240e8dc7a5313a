"""Words everyone uses. No I/O."""
