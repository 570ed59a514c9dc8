-- Entries that announce another signing key are few, and asked for at every signature.
create index ix_tb_audit_log_keys on tb_audit_log (seq) where kind = 'key_succeeded';
