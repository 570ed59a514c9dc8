create table tb_service_clock (
    sr_id bigint not null
        constraint fk_tb_service_clock_sr_id_tb_sr_request references tb_sr_request (sr_id),
    kind text not null constraint ck_tb_service_clock_kind check (kind in ('response', 'resolution')),
    state text not null constraint ck_tb_service_clock_state
        check (state in ('RUNNING', 'PAUSED', 'KEPT', 'BROKEN', 'CANCELLED')),
    inst_id text,
    category text,
    priority text not null,
    hours text not null constraint ck_tb_service_clock_hours check (hours in ('business', 'always')),
    target_seconds bigint not null,
    phase text not null,
    spans jsonb not null,
    started_at timestamptz not null,
    due_at timestamptz,
    next_at timestamptz,
    warned_at timestamptz,
    broken_at timestamptz,
    notified_at timestamptz,
    escalated_at timestamptz,
    stopped_at timestamptz,
    constraint pk_tb_service_clock primary key (sr_id, kind)
);
create index ix_tb_service_clock_next_at on tb_service_clock (next_at) where next_at is not null;
create index ix_tb_service_clock_stopped_at on tb_service_clock (stopped_at, inst_id)
    where stopped_at is not null;
create index ix_tb_service_clock_overdue on tb_service_clock (broken_at, sr_id)
    where state in ('RUNNING', 'PAUSED') and broken_at is not null;
create index ix_tb_service_clock_history on tb_service_clock (category, priority, stopped_at desc)
    where kind = 'resolution' and state in ('KEPT', 'BROKEN');

-- Only appended to, so that no change of an issue waits for another; the scheduler empties it.
create table tb_service_moment (
    moment_id bigint generated always as identity constraint pk_tb_service_moment primary key,
    sr_id bigint not null,
    at timestamptz not null,
    status text not null,
    is_assigned boolean not null,
    is_waiting boolean not null,
    is_new boolean not null
);
create index ix_tb_service_moment_sr_id on tb_service_moment (sr_id);

create table tb_calendar_day (
    inst_id text not null,
    day date not null,
    is_open boolean not null,
    name text not null,
    added_by text not null,
    added_at timestamptz not null,
    constraint pk_tb_calendar_day primary key (inst_id, day)
);

create table tb_satisfaction (
    sr_id bigint not null constraint pk_tb_satisfaction primary key
        constraint fk_tb_satisfaction_sr_id_tb_sr_request references tb_sr_request (sr_id),
    person_id text not null,
    score bigint not null constraint ck_tb_satisfaction_score check (score between 1 and 5),
    comment text not null default '',
    given_at timestamptz not null,
    changed_at timestamptz not null
);
create index ix_tb_satisfaction_given_at on tb_satisfaction (given_at);

create function issue_moves_clocks() returns trigger language plpgsql as $$
begin
    insert into tb_service_moment (sr_id, at, status, is_assigned, is_waiting, is_new)
    values (
        new.sr_id,
        case when tg_op = 'INSERT' then new.created_at else new.updated_at end,
        new.status,
        new.assignee_id is not null,
        exists (select 1 from tb_question where sr_id = new.sr_id and state = 'OPEN'),
        tg_op = 'INSERT'
    );
    return null;
end $$;
create trigger issue_opened_clocks after insert on tb_sr_request
    for each row when (new.kind is distinct from 'GOAL') execute function issue_moves_clocks();
create trigger issue_moved_clocks after update of status, priority, category, inst_id, assignee_id
    on tb_sr_request for each row
    when (new.kind is distinct from 'GOAL' and (
        old.status, old.priority, old.category, old.inst_id, old.assignee_id)
        is distinct from (new.status, new.priority, new.category, new.inst_id, new.assignee_id))
    execute function issue_moves_clocks();

create function question_moves_clocks() returns trigger language plpgsql as $$
begin
    insert into tb_service_moment (sr_id, at, status, is_assigned, is_waiting, is_new)
    select sr_id, case when new.state = 'OPEN' then new.asked_at else coalesce(new.answered_at, now()) end,
        status, assignee_id is not null, new.state = 'OPEN', false
    from tb_sr_request where sr_id = new.sr_id;
    return null;
end $$;
create trigger question_opened_clocks after insert on tb_question
    for each row execute function question_moves_clocks();
create trigger question_moved_clocks after update of state on tb_question
    for each row when (old.state is distinct from new.state) execute function question_moves_clocks();
