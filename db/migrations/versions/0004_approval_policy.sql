-- Quorum, terms and escalation of each step; one row per person's decision; work that waits for its
-- window; delegation; and who was told what.

alter table tb_ops_task add column plan_author text;
alter table tb_ops_task add column run_after timestamptz;
create index ix_tb_ops_task_run_after on tb_ops_task (run_after) where run_after is not null;

alter table tb_approval add column quorum bigint not null default 1 constraint ck_tb_approval_quorum check (quorum >= 1);
alter table tb_approval add column opened_at timestamptz;
alter table tb_approval add column due_at timestamptz;
alter table tb_approval add column look_at timestamptz;
alter table tb_approval add column escalate_to text;
alter table tb_approval add column escalated_at timestamptz;
update tb_approval a set opened_at = created_at where state = 'WAITING' and step = (
    select min(b.step) from tb_approval b
    where b.task_id = a.task_id and b.plan_hash = a.plan_hash and b.state = 'WAITING');
alter table tb_approval drop constraint ck_tb_approval_state;
alter table tb_approval add constraint ck_tb_approval_state
    check (state in ('WAITING', 'APPROVED', 'REJECTED', 'CHANGES', 'EXPIRED', 'VOID'));
-- The same plan may be filed again after its approvals were voided.
alter table tb_approval drop constraint uq_tb_approval_task_id_plan_hash_step;
create unique index uq_tb_approval_standing on tb_approval (task_id, plan_hash, step)
    where state in ('WAITING', 'APPROVED');
create index ix_tb_approval_task_id on tb_approval (task_id, plan_hash, step);
create index ix_tb_approval_look_at on tb_approval (look_at) where state = 'WAITING';

create table tb_decision (
    decision_id bigint generated always as identity constraint pk_tb_decision primary key,
    approval_id bigint not null constraint fk_tb_decision_approval_id_tb_approval references tb_approval,
    person_id text not null,
    role text not null,
    principal_id text,
    verdict text not null constraint ck_tb_decision_verdict check (verdict in ('approve', 'reject', 'change')),
    reason text not null default '',
    decided_at timestamptz not null,
    constraint uq_tb_decision_approval_id_person_id unique (approval_id, person_id)
);
insert into tb_decision (approval_id, person_id, role, verdict, reason, decided_at)
    select approval_id, decided_by, role, case state when 'APPROVED' then 'approve' else 'reject' end, reason, decided_at
    from tb_approval where decided_by is not null and state in ('APPROVED', 'REJECTED');

create table tb_delegation (
    delegation_id bigint generated always as identity constraint pk_tb_delegation primary key,
    principal_id text not null constraint fk_tb_delegation_principal_id_tb_person references tb_person,
    delegate_id text not null constraint fk_tb_delegation_delegate_id_tb_person references tb_person,
    begins_at timestamptz not null,
    ends_at timestamptz not null,
    absent boolean not null default false,
    set_by text not null,
    created_at timestamptz not null,
    revoked_at timestamptz,
    constraint ck_tb_delegation_order check (begins_at < ends_at),
    constraint ck_tb_delegation_persons check (principal_id <> delegate_id)
);
create index ix_tb_delegation_delegate_id on tb_delegation (delegate_id, ends_at) where revoked_at is null;
create index ix_tb_delegation_principal_id on tb_delegation (principal_id, ends_at) where revoked_at is null;

create table tb_notice (
    notice_id bigint generated always as identity constraint pk_tb_notice primary key,
    person_id text not null,
    kind text not null constraint ck_tb_notice_kind check (kind in ('due', 'reminder', 'escalated')),
    sr_id bigint not null,
    approval_id bigint not null constraint fk_tb_notice_approval_id_tb_approval references tb_approval,
    principal_id text,
    created_at timestamptz not null
);
create index ix_tb_notice_person_id on tb_notice (person_id, notice_id desc);

-- A person asks for another plan, or changes the one that is approved.
insert into tb_lifecycle (before, after) values ('PENDING_APPROVAL', 'PARSED'), ('APPROVED', 'PARSED');
