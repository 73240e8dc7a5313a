"""The only SQL: schema, engine, migrations, writer, questions."""
