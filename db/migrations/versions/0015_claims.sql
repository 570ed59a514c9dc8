-- Tasks in the order in which agents claim them, so that a claim reads one row however many wait;
-- and how often a task lost its worker without having come any further.

alter table tb_ops_task add column priority text not null default 'P3';
alter table tb_ops_task add column lost_at timestamptz;
update tb_ops_task t set priority = i.priority
    from tb_sr_request i where i.sr_id = t.sr_id and i.priority <> t.priority;

-- A task's priority is its issue's, whoever changes that. The issue's row is locked, so a change that
-- commits meanwhile is not missed.
create function task_takes_its_issues_priority() returns trigger language plpgsql as $$
begin
    select coalesce(priority, 'P3') into new.priority
        from tb_sr_request where sr_id = new.sr_id for no key update;
    new.priority := coalesce(new.priority, 'P3');
    return new;
end $$;
create trigger priority before insert on tb_ops_task
    for each row execute function task_takes_its_issues_priority();

create function tasks_follow_their_issues_priority() returns trigger language plpgsql as $$
begin
    update tb_ops_task set priority = coalesce(new.priority, 'P3') where sr_id = new.sr_id;
    return null;
end $$;
create trigger priority after update of priority on tb_sr_request
    for each row when (old.priority is distinct from new.priority)
    execute function tasks_follow_their_issues_priority();

create index ix_tb_ops_task_begun on tb_ops_task (agent_id, lost_at, priority, task_id)
    where status in ('RECEIVED', 'APPROVED', 'IN_PROGRESS') and not paused;
create index ix_tb_ops_task_new on tb_ops_task (agent_id, lost_at, priority, task_id)
    where status = 'PARSED' and not paused;

create table tb_task_loss (
    task_id bigint constraint pk_tb_task_loss primary key
        constraint fk_tb_task_loss_task_id_tb_ops_task references tb_ops_task,
    run_id bigint not null,
    losses bigint not null,
    mark text not null,
    since timestamptz not null
);
