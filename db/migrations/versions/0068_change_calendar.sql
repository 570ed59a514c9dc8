create table tb_calendar_feed (
    person_id text not null constraint pk_tb_calendar_feed primary key,
    token_hash text not null constraint uq_tb_calendar_feed_token_hash unique,
    created_at timestamptz not null
);
-- Few of many millions of tasks are planned at a time.
create index ix_tb_ops_task_planned on tb_ops_task (target_server, task_id)
    where status in ('PENDING_APPROVAL', 'APPROVED', 'IN_PROGRESS') and plan_hash is not null;
