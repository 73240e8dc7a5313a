"""Spans: each call as OpenTelemetry tells it. Imported only when they are on."""
