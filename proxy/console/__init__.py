"""The admin listener: /metrics, /health, /ready and the page that says what runs."""
