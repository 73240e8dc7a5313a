"""Drift: evidence that the model behind a route is not what it was. `replay.Replay` is the way in."""
