-- An ended task can be opened again by people; the same moves as board/core/lifecycle.py.
insert into tb_lifecycle (before, after) values
    ('COMPLETED', 'PARSED'), ('FAILED_ROLLBACK', 'PARSED'), ('ROLLED_BACK', 'PARSED'),
    ('REJECTED', 'PARSED'), ('ABORTED', 'PARSED');

-- An ended issue has the worst of the last states on its servers: see lifecycle.issue_state.
create or replace function state_of_issue(issue bigint) returns text language sql stable as $$
    select coalesce(
        (select t.status from tb_ops_task t
          cross join lateral array_position(array['RECEIVED', 'PARSED', 'PENDING_APPROVAL', 'APPROVED',
                                                  'MANUAL', 'IN_PROGRESS'], t.status) as advance
          where t.sr_id = issue and advance is not null order by advance limit 1),
        (select last.status from (
            select distinct on (t.target_server) t.status from tb_ops_task t
             where t.sr_id = issue order by t.target_server, t.task_id desc) last
          order by array_position(array['FAILED_ROLLBACK', 'ROLLED_BACK', 'ABORTED', 'REJECTED',
                                        'COMPLETED'], last.status) limit 1),
        (select case g.state when 'GIVEN' then 'RECEIVED' when 'ASKED' then 'RECEIVED'
                             when 'PLANNED' then 'PENDING_APPROVAL' when 'ACTIVE' then 'IN_PROGRESS'
                             when 'ACHIEVED' then 'COMPLETED' when 'DROPPED' then 'ABORTED' end
          from tb_goal g where g.sr_id = issue))
$$;
update tb_sr_request set status = state_of_issue(sr_id)
 where status in ('COMPLETED', 'FAILED_ROLLBACK', 'ROLLED_BACK', 'REJECTED', 'ABORTED')
   and status is distinct from state_of_issue(sr_id) and state_of_issue(sr_id) is not null;

-- Every plan that was filed for a task, numbered, with what people asked of it and the answer.
create table tb_plan_version (
    task_id bigint not null constraint fk_tb_plan_version_task_id_tb_ops_task references tb_ops_task,
    number bigint not null,
    attempt bigint not null default 0,
    plan_hash text not null,
    plan jsonb not null,
    author text not null,
    reason text not null default '',
    filed_at timestamptz not null,
    returned_as text constraint ck_tb_plan_version_returned_as
        check (returned_as in ('change', 'again', 'manual', 'close')),
    request text not null default '',
    requested_by text,
    requested_at timestamptz,
    answer text not null default '',
    answered_at timestamptz,
    checks jsonb,
    checks_due boolean not null default false,
    constraint pk_tb_plan_version primary key (task_id, number)
);
create index ix_tb_plan_version_checks_due on tb_plan_version (task_id) where checks_due;

insert into tb_plan_version (task_id, number, plan_hash, plan, author, filed_at)
select task_id, row_number() over (partition by task_id order by seq),
       detail ->> 'plan_hash', detail -> 'plan', actor, created_at
  from tb_audit_log
 where kind in ('planned', 'waived') and task_id is not null
   and detail ? 'plan' and detail ->> 'plan_hash' is not null
   and exists (select from tb_ops_task t where t.task_id = tb_audit_log.task_id);

update tb_plan_version v set attempt = t.attempt from tb_ops_task t
 where t.task_id = v.task_id and t.plan_hash = v.plan_hash;
update tb_plan_version v
   set returned_as = 'change', request = d.reason, requested_by = 'person:' || d.person_id,
       requested_at = d.decided_at,
       answered_at = (select min(later.filed_at) from tb_plan_version later
                       where later.task_id = v.task_id and later.number > v.number)
  from tb_approval a join tb_decision d using (approval_id)
 where a.task_id = v.task_id and a.plan_hash = v.plan_hash and d.verdict = 'change';

-- What follows a rejection, when approved work may start, and the words for the requester.
alter table tb_decision add column next_step text
    constraint ck_tb_decision_next_step check (next_step in ('manual', 'again', 'later', 'close'));
alter table tb_decision add column run_after timestamptz;
alter table tb_decision add column message text not null default '';

-- Acceptance of completed work by its requester or an engineer of the server.
create table tb_acceptance (
    acceptance_id bigint generated always as identity constraint pk_tb_acceptance primary key,
    task_id bigint not null constraint fk_tb_acceptance_task_id_tb_ops_task references tb_ops_task,
    sr_id bigint not null constraint fk_tb_acceptance_sr_id_tb_sr_request references tb_sr_request,
    asked_of text not null constraint ck_tb_acceptance_asked_of
        check (asked_of in ('requester', 'engineer')),
    state text not null constraint ck_tb_acceptance_state
        check (state in ('WAITING', 'ACCEPTED', 'LAPSED', 'REOPENED', 'VOID')),
    decided_by text,
    reason text not null default '',
    asked_at timestamptz not null,
    due_at timestamptz,
    escalated_at timestamptz,
    decided_at timestamptz
);
create unique index uq_tb_acceptance_waiting on tb_acceptance (task_id) where state = 'WAITING';
create index ix_tb_acceptance_sr_id on tb_acceptance (sr_id, acceptance_id);
create index ix_tb_acceptance_due_at on tb_acceptance (due_at) where state = 'WAITING' and due_at is not null;

-- The arguments of a read, so that its findings can be matched with an action on the same service.
alter table tb_evidence add column args jsonb not null default '{}';
