-- Goals: an issue without tasks, its plan, the agents it needs; and issues that have a parent.

alter table tb_sr_request add column parent_id bigint
    constraint fk_tb_sr_request_parent_id_tb_sr_request references tb_sr_request;
alter table tb_sr_request add column goal_id bigint
    constraint fk_tb_sr_request_goal_id_tb_sr_request references tb_sr_request;
alter table tb_sr_request add column due_on date;
create index ix_tb_sr_request_parent_id on tb_sr_request (parent_id, sr_id) where parent_id is not null;
create index ix_tb_sr_request_goal_id on tb_sr_request (goal_id, status) where goal_id is not null;

create table tb_goal (
    sr_id bigint not null constraint pk_tb_goal primary key
        constraint fk_tb_goal_sr_id_tb_sr_request references tb_sr_request,
    state text not null constraint ck_tb_goal_state
        check (state in ('GIVEN', 'ASKED', 'PLANNED', 'ACTIVE', 'ACHIEVED', 'DROPPED')),
    agent_id text,
    given_by text not null,
    due_on date,
    fence bigint not null default 0,
    run_id bigint,
    pieces jsonb not null default '[]',
    plan_hash text,
    thought_by text not null default '',
    stuck_at timestamptz,
    decided_by text,
    decided_at timestamptz,
    end_reason text not null default '',
    ended_at timestamptz,
    created_at timestamptz not null
);
create index ix_tb_goal_open on tb_goal (sr_id) where state in ('GIVEN', 'ACTIVE');

create table tb_hire (
    hire_id bigint generated always as identity constraint pk_tb_hire primary key,
    sr_id bigint constraint fk_tb_hire_sr_id_tb_sr_request references tb_sr_request,
    requested_by text not null,
    agent_id text not null,
    title text not null,
    skills jsonb not null default '[]',
    reports_to text,
    monthly_won bigint,
    reason text not null,
    state text not null constraint ck_tb_hire_state check (state in ('WAITING', 'APPROVED', 'REJECTED')),
    decided_by text,
    decision_reason text not null default '',
    decided_at timestamptz,
    revision bigint,
    created_at timestamptz not null
);
create index ix_tb_hire_sr_id on tb_hire (sr_id);
-- Two who miss the same colleague ask for one.
create unique index uq_tb_hire_waiting on tb_hire (agent_id) where state = 'WAITING';

create table tb_goal_part (
    sr_id bigint not null constraint fk_tb_goal_part_sr_id_tb_goal references tb_goal,
    ordinal bigint not null,
    piece bigint not null,
    text text not null,
    kind text not null,
    category text not null,
    priority text not null,
    institution text,
    server text,
    action_type text,
    agent_id text,
    engineer_id text,
    due_on date,
    reasons jsonb not null default '[]',
    question text not null default '',
    state text not null constraint ck_tb_goal_part_state check (state in ('PROPOSED', 'TAKEN_OUT', 'RECEIVED')),
    hire_id bigint constraint fk_tb_goal_part_hire_id_tb_hire references tb_hire,
    child_id bigint constraint fk_tb_goal_part_child_id_tb_sr_request references tb_sr_request,
    constraint pk_tb_goal_part primary key (sr_id, ordinal)
);

-- Work that waits for a colleague who has still to be hired; nobody claims it before.
alter table tb_ops_task add column hire_id bigint
    constraint fk_tb_ops_task_hire_id_tb_hire references tb_hire;
create index ix_tb_ops_task_hire_id on tb_ops_task (hire_id) where hire_id is not null;

-- An issue stands where its tasks stand; without tasks, where its goal stands (board/core/goal_lifecycle.py, SHOWN_AS).
create or replace function state_of_issue(issue bigint) returns text language sql stable as $$
    select coalesce(
        (select t.status from tb_ops_task t
          cross join lateral array_position(array['RECEIVED', 'PARSED', 'PENDING_APPROVAL', 'APPROVED',
                                                  'MANUAL', 'IN_PROGRESS'], t.status) as advance
          where t.sr_id = issue and advance is not null order by advance limit 1),
        (select t.status from tb_ops_task t where t.sr_id = issue order by t.task_id desc limit 1),
        (select case g.state when 'GIVEN' then 'RECEIVED' when 'ASKED' then 'RECEIVED'
                             when 'PLANNED' then 'PENDING_APPROVAL' when 'ACTIVE' then 'IN_PROGRESS'
                             when 'ACHIEVED' then 'COMPLETED' when 'DROPPED' then 'ABORTED' end
          from tb_goal g where g.sr_id = issue))
$$;
