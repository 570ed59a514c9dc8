create table tb_home_layout (
    owner text not null constraint pk_tb_home_layout primary key,
    cards jsonb not null,
    changed_by text not null,
    changed_at timestamptz not null
);
-- What waits for one person, or for nobody yet.
create index ix_tb_sr_request_assignee on tb_sr_request (assignee_id, sr_id) where status = 'MANUAL';
create index ix_tb_ops_task_owner on tb_ops_task (owner_id, sr_id) where status = 'MANUAL';
create index ix_tb_directive_not_restored on tb_directive (sr_id) where state = 'NOT_RESTORED';
