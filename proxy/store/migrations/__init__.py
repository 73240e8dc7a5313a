"""Steps from one schema to the next, run by alembic from proxy.store.versions."""
