"""OTLP: telemetry on its way to a collector, in threads of its own. Imported only when it is on."""
