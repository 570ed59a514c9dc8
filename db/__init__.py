"""PostgreSQL: the connection, the embedded server, migrations, jobs and events."""
