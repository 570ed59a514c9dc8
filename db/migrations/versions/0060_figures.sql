-- Figures of the dashboard ---------------------------------------------------------------------------
-- Each issue, task and line of a room counts in a few figures: (measure, institution, day, part) -> n.
-- A change adds what it adds and takes away as rows of tb_figure_change, in its own transaction and
-- without any lock on a shared row; once a minute these are folded into tb_figure_total. v_figure is the
-- sum of both and so right at any moment. What counts in which figure is written once, in the functions
-- *_figures below: the triggers, the rebuild and the figures of one server read them.

-- When an issue ended; comments on ended issues move its updated_at, but not this.
alter table tb_sr_request add column closed_at timestamptz;
-- Whether a person has decided on a task or directed it.
alter table tb_ops_task add column by_person boolean not null default false;

create function is_open_state(status text) returns boolean language sql immutable as $$
    select status in ('RECEIVED', 'PARSED', 'PENDING_APPROVAL', 'APPROVED', 'IN_PROGRESS', 'MANUAL')
$$;

create function issue_ends() returns trigger language plpgsql as $$
begin
    new.closed_at := case when is_open_state(new.status) then null
                         when old.status is not distinct from new.status then old.closed_at
                         else new.updated_at end;
    return new;
end $$;
create trigger ends before update of status on tb_sr_request
    for each row execute function issue_ends();

update tb_sr_request set closed_at = updated_at where not is_open_state(status);

update tb_ops_task t set by_person = true
 where exists (select from tb_directive d where d.task_id = t.task_id)
    or exists (select from tb_approval a join tb_decision d on d.approval_id = a.approval_id
                where a.task_id = t.task_id);

create function person_handles_task() returns trigger language plpgsql as $$
begin
    if tg_table_name = 'tb_directive' then
        update tb_ops_task set by_person = true where task_id = new.task_id and not by_person;
    else
        update tb_ops_task set by_person = true
         where task_id = (select task_id from tb_approval where approval_id = new.approval_id)
           and not by_person;
    end if;
    return null;
end $$;
create trigger by_person after insert on tb_directive for each row execute function person_handles_task();
create trigger by_person after insert on tb_decision for each row execute function person_handles_task();

create table tb_figure_total (
    measure text not null,
    inst_id text not null,
    day date not null,
    part text not null,
    n bigint not null,
    constraint pk_tb_figure_total primary key (measure, inst_id, day, part)
);
create index ix_tb_figure_total_zero on tb_figure_total (day) where n = 0;
create table tb_figure_change (
    change_id bigint generated always as identity constraint pk_tb_figure_change primary key,
    measure text not null,
    inst_id text not null,
    day date not null,
    part text not null,
    n bigint not null
);

-- inst_id '' is an unknown institution, '*' all of them.
create view v_figure as
    select measure, inst_id, day, part, n from tb_figure_total
    union all
    select measure, inst_id, day, part, n from tb_figure_change
    union all
    select measure, '*', day, part, n from tb_figure_change;

create function seoul_day(moment timestamptz) returns date language sql immutable as $$
    select (moment at time zone 'Asia/Seoul')::date
$$;
create function seoul_hour(moment timestamptz) returns text language sql immutable as $$
    select to_char(moment at time zone 'Asia/Seoul', 'HH24')
$$;

create function issue_figures(i tb_sr_request)
    returns table (measure text, day date, part text, n bigint) language sql stable as $$
    select f.measure, f.day, f.part, f.n
      from (values
        (true, 'issue', seoul_day(i.created_at), '', 1::bigint),
        (true, 'issue_state', seoul_day(i.created_at), i.status, 1),
        (is_open_state(i.status) and i.priority in ('P1', 'P2'), 'issue_urgent', seoul_day(i.created_at), '', 1),
        (i.closed_at is not null, 'issue_ended', seoul_day(i.closed_at), i.status, 1),
        (is_open_state(i.status) and i.assignee_id is not null and i.category is not null,
            'assignee_field', seoul_day(i.created_at), i.assignee_id || ' ' || i.category, 1)
      ) as f (counts, measure, day, part, n)
     where f.counts
$$;

create function task_figures(t tb_ops_task)
    returns table (measure text, day date, part text, n bigint) language sql stable as $$
    select f.measure, f.day, f.part, f.n
      from (values
        (true, 'task_hour', seoul_day(t.created_at), seoul_hour(t.created_at), 1::bigint),
        (true, 'task_state', seoul_day(t.created_at), t.status, 1),
        (t.agent_id is not null, 'agent_state', seoul_day(t.created_at), t.status, 1),
        (t.agent_id is not null and t.status = 'COMPLETED' and not t.by_person,
            'agent_alone', seoul_day(t.created_at), '', 1),
        (t.agent_id is not null and t.status = 'COMPLETED', 'agent_ms', seoul_day(t.created_at), '',
            (extract(epoch from t.updated_at - t.created_at) * 1000)::bigint),
        (t.agent_id is not null and is_open_state(t.status), 'agent_open', seoul_day(t.created_at), t.agent_id, 1),
        (t.owner_id is not null and is_open_state(t.status), 'owner_open', seoul_day(t.created_at), t.owner_id, 1),
        (t.owner_id is not null and t.status = 'MANUAL', 'owner_manual', seoul_day(t.created_at), t.owner_id, 1),
        (t.status = 'FAILED_ROLLBACK', 'task_failed', seoul_day(t.updated_at), '', 1)
      ) as f (counts, measure, day, part, n)
     where f.counts
$$;

create function count_task() returns trigger language plpgsql as $$
declare
    inst text;
begin
    -- The lock orders this after a concurrent change of the issue's institution.
    select coalesce(i.inst_id, '') into inst from tb_sr_request i
     where i.sr_id = coalesce(new.sr_id, old.sr_id) for no key update;
    insert into tb_figure_change (measure, inst_id, day, part, n)
    select f.measure, coalesce(inst, ''), f.day, f.part, sum(f.n)
      from (select * from task_figures(new) where tg_op <> 'DELETE'
            union all
            select o.measure, o.day, o.part, -o.n from task_figures(old) o where tg_op <> 'INSERT') f
     group by 1, 2, 3, 4 having sum(f.n) <> 0;
    return null;
end $$;
create trigger figures_added after insert on tb_ops_task for each row execute function count_task();
create trigger figures_removed after delete on tb_ops_task for each row execute function count_task();
create trigger figures_changed after update on tb_ops_task for each row
    when ((old.status, old.agent_id, old.owner_id, old.by_person, old.created_at)
          is distinct from (new.status, new.agent_id, new.owner_id, new.by_person, new.created_at)
          or new.status in ('COMPLETED', 'FAILED_ROLLBACK') and old.updated_at is distinct from new.updated_at)
    execute function count_task();

create function count_issue() returns trigger language plpgsql as $$
begin
    insert into tb_figure_change (measure, inst_id, day, part, n)
    select f.measure, f.inst, f.day, f.part, sum(f.n)
      from (select coalesce(new.inst_id, '') as inst, a.* from issue_figures(new) a where tg_op <> 'DELETE'
            union all
            select coalesce(old.inst_id, ''), o.measure, o.day, o.part, -o.n
              from issue_figures(old) o where tg_op <> 'INSERT') f
     group by 1, 2, 3, 4 having sum(f.n) <> 0;
    if tg_op = 'UPDATE' and old.inst_id is distinct from new.inst_id then
        insert into tb_figure_change (measure, inst_id, day, part, n)
        select f.measure, side.inst, f.day, f.part, sum(f.n * side.sign)
          from tb_ops_task t, task_figures(t) f,
               (values (coalesce(new.inst_id, ''), 1), (coalesce(old.inst_id, ''), -1)) as side (inst, sign)
         where t.sr_id = new.sr_id
         group by 1, 2, 3, 4;
    end if;
    return null;
end $$;
create trigger figures_added after insert on tb_sr_request for each row execute function count_issue();
create trigger figures_removed after delete on tb_sr_request for each row execute function count_issue();
create trigger figures_changed after update on tb_sr_request for each row
    when ((old.status, old.priority, old.inst_id, old.created_at, old.closed_at, old.assignee_id, old.category)
          is distinct from (new.status, new.priority, new.inst_id, new.created_at, new.closed_at,
                            new.assignee_id, new.category))
    execute function count_issue();

create function count_lines() returns trigger language plpgsql as $$
begin
    insert into tb_figure_change (measure, inst_id, day, part, n)
    select 'line_hour', '', seoul_day(created_at), seoul_hour(created_at),
           case when tg_op = 'INSERT' then count(*) else -count(*) end
      from changed_lines group by 1, 2, 3, 4;
    return null;
end $$;
create trigger figures_added after insert on tb_msg_chat_log referencing new table as changed_lines
    for each statement execute function count_lines();
create trigger figures_removed after delete on tb_msg_chat_log referencing old table as changed_lines
    for each statement execute function count_lines();

-- Everything that counts now, from the tables themselves.
create function counted_figures()
    returns table (measure text, inst_id text, day date, part text, n bigint) language sql stable as $$
    select f.measure, coalesce(i.inst_id, ''), f.day, f.part, sum(f.n)::bigint
      from tb_sr_request i, issue_figures(i) f group by 1, 2, 3, 4
    union all
    select f.measure, coalesce(i.inst_id, ''), f.day, f.part, sum(f.n)::bigint
      from tb_ops_task t join tb_sr_request i on i.sr_id = t.sr_id, task_figures(t) f group by 1, 2, 3, 4
    union all
    select 'line_hour', '', seoul_day(created_at), seoul_hour(created_at), count(*)
      from tb_msg_chat_log group by 3, 4
$$;

insert into tb_figure_total (measure, inst_id, day, part, n)
select measure, side.inst, day, part, sum(n)
  from counted_figures(), lateral (values (inst_id), ('*')) as side (inst)
 group by 1, 2, 3, 4;

-- What the cards read besides the figures.
create index ix_tb_ops_task_failed on tb_ops_task (updated_at desc) where status = 'FAILED_ROLLBACK';
create index ix_tb_sr_request_created_at on tb_sr_request (created_at);
create index ix_tb_audit_log_verified on tb_audit_log (seq)
    where kind in ('verified', 'verified_daily', 'broken');
create index ix_tb_audit_log_results on tb_audit_log (seq)
    where kind in ('result', 'result_failed', 'not_restored', 'undone');

-- The output of a command that failed; the audit log holds its hash.
create table tb_failed_output (
    intent bigint not null constraint pk_tb_failed_output primary key,
    task_id bigint not null constraint fk_tb_failed_output_task_id_tb_ops_task references tb_ops_task,
    command text not null,
    findings jsonb not null,
    output text not null,
    sha256 text not null,
    created_at timestamptz not null
);
create index ix_tb_failed_output_task_id on tb_failed_output (task_id, intent);
revoke update, delete, truncate on tb_failed_output from guardia_app;
