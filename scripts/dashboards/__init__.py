"""Grafana dashboards as code: what they show is here, JSON for Grafana is in config/grafana/dashboards."""
