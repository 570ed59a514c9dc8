-- The bytes that are hashed are kept with their entry, so that verifying need not compose them again.
-- Entries of before have none: the table is append-only, for the migration too, and their bytes are
-- composed from the columns as ever.

alter table tb_audit_log add column canonical text;
