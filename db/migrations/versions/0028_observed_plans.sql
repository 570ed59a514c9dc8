-- The report on observed plans reads their entries alone.
create index ix_tb_audit_log_observed on tb_audit_log (seq) where kind = 'observed';
