"""alembic's entry: migrate on the connection, and inside the transaction, that proxy.store.versions gives."""

from alembic import context

from proxy.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite alters a table by copying it
    transactional_ddl=True,  # all steps or none
)
with context.begin_transaction():
    context.run_migrations()
