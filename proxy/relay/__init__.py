"""The data plane: listener, handler, upstream connections. No SQL, no exporters, no prices."""
