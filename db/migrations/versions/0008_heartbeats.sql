-- Why exactly an agent woke and under which org chart; wakes are taken into their run; how often an
-- issue may wake agents until people must look.

alter table tb_agent_run add column causes jsonb not null default '[]';
alter table tb_agent_run add column revision bigint;
create index ix_tb_agent_run_open on tb_agent_run (agent_id) where ended_at is null;

delete from tb_wake where run_id is not null;
drop index ix_tb_wake_pending;
alter table tb_wake drop column run_id;
alter table tb_wake add column cause jsonb not null default '{}';
create index ix_tb_wake_agent_id on tb_wake (agent_id, wake_id);

alter table tb_sr_request add column stalled_at timestamptz;
alter table tb_sr_request add column stalled_on text;
create index ix_tb_sr_request_stalled on tb_sr_request (sr_id) where stalled_at is not null;

create table tb_wake_budget (
    sr_id bigint not null constraint fk_tb_wake_budget_sr_id_tb_sr_request references tb_sr_request,
    reason text not null,
    spent bigint not null,
    since timestamptz not null,
    constraint pk_tb_wake_budget primary key (sr_id, reason)
);
