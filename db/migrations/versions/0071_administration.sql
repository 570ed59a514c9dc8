-- The audit log is searched by kind and by who acted, newest first.
create index ix_tb_audit_log_kind on tb_audit_log (kind, seq);
create index ix_tb_audit_log_actor on tb_audit_log (actor, seq);
-- People by name and role.
create index ix_tb_person_role on tb_person (role, person_id);
create index ix_tb_person_inst_id on tb_person (inst_id, person_id);
create index ix_tb_access_token_live on tb_access_token (token_id desc) where revoked_at is null;
