"""The upstream watcher: what answers at each address, with which models, and what changed there."""
