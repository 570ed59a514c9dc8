-- Runs of the remote console, and the servers of each.
create table tb_remote_run (
    run_id bigint generated always as identity constraint pk_tb_remote_run primary key,
    kind text not null constraint ck_tb_remote_run_kind check (kind in ('read', 'change')),
    state text not null constraint ck_tb_remote_run_state
        check (state in ('DRAFT', 'PENDING', 'RUNNING', 'STOPPING', 'DONE', 'STOPPED', 'CANCELLED')),
    tool text not null,
    args jsonb not null,
    reason text not null,
    chosen_by jsonb not null,
    total bigint not null,
    sr_id bigint constraint fk_tb_remote_run_sr_id_tb_sr_request references tb_sr_request,
    root_task_id bigint constraint fk_tb_remote_run_root_task_id_tb_ops_task references tb_ops_task,
    again_of bigint constraint fk_tb_remote_run_again_of_tb_remote_run references tb_remote_run,
    fence bigint not null default 0,
    why text not null default '',
    created_by text not null,
    created_at timestamptz not null,
    ended_at timestamptz
);
create index ix_tb_remote_run_changes on tb_remote_run (run_id)
    where kind = 'change' and state in ('PENDING', 'RUNNING', 'STOPPING');
create index ix_tb_remote_run_sr_id on tb_remote_run (sr_id) where sr_id is not null;

create table tb_remote_target (
    run_id bigint not null constraint fk_tb_remote_target_run_id_tb_remote_run
        references tb_remote_run on delete cascade,
    ordinal bigint not null,
    server_id text not null,
    state text not null constraint ck_tb_remote_target_state
        check (state in ('WAITING', 'RUNNING', 'OK', 'FAILED', 'REFUSED', 'UNKNOWN', 'STOPPED')),
    started_at timestamptz,
    ended_at timestamptz,
    milliseconds bigint,
    findings jsonb not null default '{}',
    output text not null default '',
    is_cut boolean not null default false,
    why text not null default '',
    plan jsonb,
    rules text not null default '',
    task_id bigint constraint fk_tb_remote_target_task_id_tb_ops_task references tb_ops_task,
    constraint pk_tb_remote_target primary key (run_id, ordinal)
);
create index ix_tb_remote_target_state on tb_remote_target (run_id, state, ordinal);
create index ix_tb_remote_target_server on tb_remote_target (server_id, run_id);
