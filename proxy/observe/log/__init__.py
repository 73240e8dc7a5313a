"""The log on its way out: standard output, files, syslog, OTLP. Each output has a bounded thread of its own."""
