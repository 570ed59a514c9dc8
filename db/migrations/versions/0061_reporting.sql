-- Views for reporting tools: docs/sql-views.md describes them. They have the figures of the dashboard,
-- days and hours are those of Seoul, and all but the lists read the kept figures (v_figure).

create view v_sr_waiting as
select i.sr_id, i.title, i.status, i.priority, i.category, i.inst_id, i.assignee_id, i.created_at,
       extract(epoch from now() - i.created_at)::bigint as age_seconds
  from tb_sr_request i where is_open_state(i.status);

create view v_sr_daily as
select day, day::timestamp at time zone 'Asia/Seoul' as begins_at, inst_id,
       sum(n) filter (where measure = 'issue')::bigint as received,
       sum(n) filter (where measure = 'issue_ended')::bigint as ended,
       sum(n) filter (where measure = 'issue_ended' and part = 'COMPLETED')::bigint as completed,
       sum(n) filter (where measure = 'issue_ended' and part = 'FAILED_ROLLBACK')::bigint as failed
  from v_figure where measure in ('issue', 'issue_ended') and inst_id <> '*'
 group by day, inst_id;

create view v_task_daily as
select day as work_date, day::timestamp at time zone 'Asia/Seoul' as begins_at,
       sum(n)::bigint as total_tasks,
       coalesce(sum(n) filter (where part = 'COMPLETED'), 0)::bigint as success_count,
       coalesce(sum(n) filter (where part = 'FAILED_ROLLBACK'), 0)::bigint as failure_count,
       round(coalesce(sum(n) filter (where part = 'COMPLETED'), 0) / nullif(sum(n), 0) * 100, 2) as success_rate
  from v_figure where measure = 'task_state' and inst_id = '*'
 group by day having sum(n) > 0;

create view v_task_status as
select inst_id, day, day::timestamp at time zone 'Asia/Seoul' as begins_at, part as status,
       sum(n)::bigint as tasks
  from v_figure where measure = 'task_state' and inst_id <> '*'
 group by inst_id, day, part having sum(n) > 0;

create view v_agent_autonomy as
select day, day::timestamp at time zone 'Asia/Seoul' as begins_at, inst_id,
       coalesce(sum(n) filter (where measure = 'agent_state' and part = 'IN_PROGRESS'), 0)::bigint as running,
       coalesce(sum(n) filter (where measure = 'agent_state' and part = 'COMPLETED'), 0)::bigint as completed,
       coalesce(sum(n) filter (where measure = 'agent_state' and part = 'FAILED_ROLLBACK'), 0)::bigint as failed,
       coalesce(sum(n) filter (where measure = 'agent_state' and part = 'ROLLED_BACK'), 0)::bigint as rolled_back,
       coalesce(sum(n) filter (where measure = 'agent_state' and part = 'REJECTED'), 0)::bigint as rejected,
       coalesce(sum(n) filter (where measure = 'agent_alone'), 0)::bigint as completed_alone,
       coalesce(sum(n) filter (where measure = 'agent_ms'), 0)::bigint as completed_milliseconds
  from v_figure where measure in ('agent_state', 'agent_alone', 'agent_ms') and inst_id <> '*'
 group by day, inst_id;

create view v_engineer_load as
select p.person_id as owner_id, p.name, p.title, p.skills,
       coalesce(f.open_tasks, 0) as open_tasks, coalesce(f.manual_tasks, 0) as manual_tasks
  from tb_person p
  left join (select part,
                    sum(n) filter (where measure = 'owner_open')::bigint as open_tasks,
                    sum(n) filter (where measure = 'owner_manual')::bigint as manual_tasks
               from v_figure where measure in ('owner_open', 'owner_manual') and inst_id = '*' group by part) f
    on f.part = p.person_id
 where p.role = 'engineer' and p.active;

create view v_institution_summary as
select i.inst_id, i.inst_name,
       coalesce(sum(f.n) filter (where f.measure = 'issue'), 0)::bigint as total_sr,
       coalesce(sum(f.n) filter (where f.measure = 'issue_state' and is_open_state(f.part)), 0)::bigint as open_sr,
       coalesce(sum(f.n) filter (where f.measure = 'issue_urgent'), 0)::bigint as urgent_sr,
       coalesce(sum(f.n) filter (where f.measure = 'issue_state' and f.part = 'COMPLETED'), 0)::bigint as completed_sr,
       coalesce(sum(f.n) filter (where f.measure = 'issue_state' and f.part = 'FAILED_ROLLBACK'), 0)::bigint as failed_sr
  from tb_inst_meta i
  left join v_figure f on f.inst_id = i.inst_id and f.measure in ('issue', 'issue_state', 'issue_urgent')
 group by i.inst_id, i.inst_name;

create view v_hourly_load as
select day, (day + part::integer * interval '1 hour') at time zone 'Asia/Seoul' as begins_at,
       part::integer as hour,
       coalesce(sum(n) filter (where measure = 'task_hour'), 0)::bigint as tasks,
       coalesce(sum(n) filter (where measure = 'line_hour'), 0)::bigint as lines
  from v_figure where measure in ('task_hour', 'line_hour') and inst_id = '*'
 group by day, part;

create view v_server_timeline as
select a.seq, a.created_at, t.target_server as server_id, a.sr_id, a.task_id, t.action_type, a.kind,
       a.kind in ('result_failed', 'not_restored') as failed, a.log_content
  from tb_audit_log a join tb_ops_task t on t.task_id = a.task_id
 where a.kind in ('result', 'result_failed', 'not_restored', 'undone') and t.target_server is not null;

create view v_failure_detail as
select t.task_id, t.sr_id, t.target_server as server_id, t.action_type, t.created_at, t.updated_at as failed_at,
       a.seq, a.log_content
  from tb_ops_task t
  left join lateral (select seq, log_content from tb_audit_log
                      where task_id = t.task_id and kind = 'result_failed' order by seq desc limit 1) a on true
 where t.status = 'FAILED_ROLLBACK';

create view v_approval_waiting as
select a.approval_id, t.sr_id, t.task_id, t.target_server as server_id, a.role, a.opened_at, a.due_at,
       extract(epoch from now() - a.opened_at)::bigint as age_seconds
  from tb_approval a join tb_ops_task t on t.task_id = a.task_id and t.plan_hash = a.plan_hash
 where a.state = 'WAITING' and a.opened_at is not null and t.status = 'PENDING_APPROVAL';

create view v_agent_heartbeat as
select g.agent_id, g.title, g.state, last.started_at, last.ended_at, last.outcome,
       coalesce((select sum(n) from v_figure
                  where measure = 'agent_open' and inst_id = '*' and part = g.agent_id), 0)::bigint as open_tasks
  from tb_agent g
  left join lateral (select started_at, ended_at, outcome from tb_agent_run r
                      where r.agent_id = g.agent_id order by run_id desc limit 1) last on true
 where g.state <> 'fired';

create view v_cost_daily as
select day, day::timestamp at time zone 'Asia/Seoul' as begins_at, agent_id, inst_id, model, calls, tokens_in + tokens_out as tokens,
       round(cost / 1000000.0, 2) as cost_won, commands
  from tb_cost_day;

create view v_integrity as
select (select size from tb_audit_head where chain = 'main') as entries,
       last.kind = 'broken' as broken, last.created_at as verified_at, last.log_content as result
  from (select 1) one
  left join lateral (select kind, created_at, log_content from tb_audit_log
                      where kind in ('verified', 'verified_daily', 'broken') order by seq desc limit 1) last on true;

-- Gives a role the right to read these views, and of the tables the columns that dashboards of before
-- use. No line of a room, body of a request, account, key or credential is among them.
create function grant_reporting(given name) returns void language plpgsql as $$
declare
    reader text := ' to ' || quote_ident(given);
    found text;
begin
    execute 'grant usage on schema public' || reader;
    foreach found in array array['v_sr_waiting', 'v_sr_daily', 'v_task_daily', 'v_task_status', 'v_agent_autonomy',
        'v_engineer_load', 'v_institution_summary', 'v_hourly_load', 'v_server_timeline', 'v_failure_detail',
        'v_approval_waiting', 'v_agent_heartbeat', 'v_cost_daily', 'v_integrity', 'v_audit_integrity', 'v_figure',
        'tb_system_owner']
    loop
        execute 'grant select on ' || found || reader;
    end loop;
    foreach found in array array[
        '(inst_id, inst_name) on tb_inst_meta',
        '(server_id, inst_id, kind) on tb_server_info',
        '(sr_id, status, priority, category, inst_id, created_at, updated_at, closed_at) on tb_sr_request',
        '(task_id, sr_id, status, target_server, action_type, owner_id, agent_id, created_at, updated_at) on tb_ops_task',
        '(seq, task_id, sr_id, kind, previous_hash, current_hash, log_content, created_at) on tb_audit_log',
        '(room, rule, sr_id, created_at) on tb_msg_chat_log']
    loop
        execute 'grant select ' || found || reader;
    end loop;
end $$;
revoke execute on function grant_reporting(name) from public;

do $$ begin
    if exists (select from pg_roles where rolname = 'guardia_report') then
        perform grant_reporting('guardia_report');
    end if;
end $$;
