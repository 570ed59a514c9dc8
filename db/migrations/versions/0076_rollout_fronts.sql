-- Load balancers on other servers, from which a rollout takes its servers and to which it returns
-- them; each step is a plan of its own.
create table tb_rollout_front (
    rollout_id bigint not null,
    server_id text not null,
    ordinal bigint not null,
    step text not null constraint ck_tb_rollout_front_step check (step in ('out', 'back')),
    front_id text not null,
    service text not null,
    plan jsonb not null,
    task_id bigint constraint fk_tb_rollout_front_task_id_tb_ops_task
        references tb_ops_task (task_id),
    constraint pk_tb_rollout_front primary key (rollout_id, server_id, ordinal),
    constraint fk_tb_rollout_front_rollout_id_tb_rollout_server
        foreign key (rollout_id, server_id) references tb_rollout_server (rollout_id, server_id)
);
-- The look at a canary was guessed from the reason of the last move.
alter table tb_rollout add column canary_paused_at timestamptz;
update tb_rollout set canary_paused_at = advanced_at where state = 'RUNNING' and reason <> '';
