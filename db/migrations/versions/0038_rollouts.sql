-- One artefact on several servers in tiers and batches, under one approval.
create table tb_rollout (
    rollout_id bigint generated always as identity constraint pk_tb_rollout primary key,
    artifact_id bigint constraint fk_tb_rollout_artifact_id_tb_artifact
        references tb_artifact (artifact_id) on delete set null,
    title text not null,
    sha256 text not null,
    category text not null,
    state text not null constraint ck_tb_rollout_state
        check (state in ('DRAFT', 'PENDING', 'RUNNING', 'PAUSED', 'ROLLING_BACK', 'DONE',
                         'ROLLED_BACK', 'FAILED', 'CANCELLED')),
    options jsonb not null,
    reason text not null default '',
    sr_id bigint constraint fk_tb_rollout_sr_id_tb_sr_request references tb_sr_request (sr_id),
    root_task_id bigint constraint fk_tb_rollout_root_task_id_tb_ops_task
        references tb_ops_task (task_id),
    created_by text not null,
    created_at timestamptz not null,
    advanced_at timestamptz,
    advanced_by text,
    ended_at timestamptz
);
create index ix_tb_rollout_active on tb_rollout (rollout_id)
    where state in ('PENDING', 'RUNNING', 'ROLLING_BACK');
create table tb_rollout_server (
    rollout_id bigint not null constraint fk_tb_rollout_server_rollout_id_tb_rollout
        references tb_rollout (rollout_id),
    server_id text not null,
    service text not null,
    tier text not null,
    ordinal bigint not null,
    batch bigint not null,
    plan jsonb not null,
    task_id bigint constraint fk_tb_rollout_server_task_id_tb_ops_task
        references tb_ops_task (task_id),
    constraint pk_tb_rollout_server primary key (rollout_id, server_id)
);
