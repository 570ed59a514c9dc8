-- The lifecycle, once more -------------------------------------------------------------------------
-- The same moves as board/core/lifecycle.py (a test holds both equal), so that not even raw SQL from the
-- application's role brings a task where no move leads.

create table tb_lifecycle (
    before text not null,
    after text not null,
    constraint pk_tb_lifecycle primary key (before, after)
);
insert into tb_lifecycle (before, after) values
    ('RECEIVED', 'PARSED'), ('RECEIVED', 'REJECTED'), ('RECEIVED', 'ABORTED'), ('RECEIVED', 'MANUAL'),
    ('PARSED', 'PENDING_APPROVAL'), ('PARSED', 'APPROVED'), ('PARSED', 'ABORTED'), ('PARSED', 'MANUAL'),
    ('PENDING_APPROVAL', 'APPROVED'), ('PENDING_APPROVAL', 'REJECTED'),
    ('PENDING_APPROVAL', 'ABORTED'), ('PENDING_APPROVAL', 'MANUAL'),
    ('APPROVED', 'IN_PROGRESS'), ('APPROVED', 'ABORTED'), ('APPROVED', 'MANUAL'),
    ('IN_PROGRESS', 'COMPLETED'), ('IN_PROGRESS', 'FAILED_ROLLBACK'), ('IN_PROGRESS', 'MANUAL'),
    ('MANUAL', 'COMPLETED'), ('MANUAL', 'ABORTED'), ('MANUAL', 'PARSED'),
    ('COMPLETED', 'ROLLED_BACK'), ('COMPLETED', 'MANUAL'),
    ('FAILED_ROLLBACK', 'MANUAL');

create function task_moves_along_the_lifecycle() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        if new.status not in ('RECEIVED', 'PARSED') then
            raise exception 'a task begins as RECEIVED or PARSED, not %', new.status
                using errcode = 'check_violation';
        end if;
    elsif new.status is distinct from old.status
          and not exists (select from tb_lifecycle l where (l.before, l.after) = (old.status, new.status)) then
        raise exception 'no move leads from % to %', old.status, new.status
            using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger lifecycle before insert or update of status on tb_ops_task
    for each row execute function task_moves_along_the_lifecycle();

-- An issue stands where its least advanced open task stands, else where its last one ended.
create function state_of_issue(issue bigint) returns text language sql stable as $$
    select coalesce(
        (select t.status from tb_ops_task t
          cross join lateral array_position(array['RECEIVED', 'PARSED', 'PENDING_APPROVAL', 'APPROVED',
                                                  'MANUAL', 'IN_PROGRESS'], t.status) as advance
          where t.sr_id = issue and advance is not null order by advance limit 1),
        (select t.status from tb_ops_task t where t.sr_id = issue order by t.task_id desc limit 1))
$$;

create function issue_follows_its_tasks() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        if new.status <> 'RECEIVED' then
            raise exception 'an issue begins as RECEIVED, not %', new.status
                using errcode = 'check_violation';
        end if;
    elsif new.status is distinct from old.status and new.status is distinct from state_of_issue(new.sr_id) then
        raise exception 'issue % cannot be % while its tasks are not', new.sr_id, new.status
            using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger lifecycle before insert or update of status on tb_sr_request
    for each row execute function issue_follows_its_tasks();

revoke insert, update, delete, truncate on tb_lifecycle from guardia_app;

-- The kill switch: on while a stop is not released. -------------------------------------------------

create table tb_kill (
    kill_id bigint generated always as identity constraint pk_tb_kill primary key,
    ordered_by text not null,
    reason text not null default '',
    room text not null default '',
    ordered_at timestamptz not null,
    reported_at timestamptz,
    released_by text,
    release_reason text not null default '',
    released_at timestamptz
);
create unique index uq_tb_kill_on on tb_kill ((true)) where released_at is null;

-- Whoever starts something shares this lock until the end of its transaction; whoever turns the
-- switch has it alone. So nothing starts between the order and its effect.
create function kill_switch_is_on() returns boolean language plpgsql as $$
begin
    perform pg_advisory_xact_lock_shared(7127051);
    return exists (select from tb_kill where released_at is null);
end $$;
create function hold_kill_switch() returns void language plpgsql as $$
begin
    perform pg_advisory_xact_lock(7127051);
end $$;

-- What people ordered of running work. UNDOING: an agent has still to undo what was done. -----------

create table tb_directive (
    directive_id bigint generated always as identity constraint pk_tb_directive primary key,
    task_id bigint not null constraint fk_tb_directive_task_id_tb_ops_task references tb_ops_task,
    sr_id bigint not null constraint fk_tb_directive_sr_id_tb_sr_request references tb_sr_request,
    kill_id bigint constraint fk_tb_directive_kill_id_tb_kill references tb_kill,
    verb text not null,
    detail jsonb not null default '{}',
    ordered_by text not null,
    reason text not null default '',
    found text not null,
    state text not null constraint ck_tb_directive_state
        check (state in ('DONE', 'UNDOING', 'RESTORED', 'NOT_RESTORED')),
    outcome text not null default '',
    ordered_at timestamptz not null,
    ended_at timestamptz
);
create index ix_tb_directive_task_id on tb_directive (task_id, directive_id);
create index ix_tb_directive_kill_id on tb_directive (kill_id);
create unique index uq_tb_directive_undoing on tb_directive (task_id) where state = 'UNDOING';

alter table tb_ops_task add column paused boolean not null default false;
alter table tb_ops_task add column attempt bigint not null default 0;
