-- Organization and CMDB -----------------------------------------------------------------------

create table tb_inst_meta (
    inst_id text constraint pk_tb_inst_meta primary key,
    inst_name text not null,
    aliases jsonb not null default '[]'
);

create table tb_server_info (
    server_id text constraint pk_tb_server_info primary key,
    inst_id text not null constraint fk_tb_server_info_inst_id_tb_inst_meta references tb_inst_meta,
    kind text not null,
    aliases jsonb not null default '[]',
    address text not null default '',
    port bigint not null default 22,
    account text not null default '',
    host_key text not null default '',
    credential text not null default '',
    services jsonb not null default '[]'
);
create index ix_tb_server_info_inst_id on tb_server_info (inst_id);

create table tb_person (
    person_id text constraint pk_tb_person primary key,
    name text not null,
    title text not null,
    role text not null,
    inst_id text constraint fk_tb_person_inst_id_tb_inst_meta references tb_inst_meta,
    skills jsonb not null default '[]',
    password_hash text,
    active boolean not null default true
);

create table tb_system_owner (
    owner_id text not null constraint fk_tb_system_owner_owner_id_tb_person references tb_person,
    server_id text not null constraint fk_tb_system_owner_server_id_tb_server_info references tb_server_info,
    skill text not null,
    proficiency bigint not null constraint ck_tb_system_owner_proficiency check (proficiency between 1 and 5),
    constraint pk_tb_system_owner primary key (owner_id, server_id, skill)
);
create index ix_tb_system_owner_server_id on tb_system_owner (server_id);

create table tb_org_revision (
    revision bigint generated always as identity constraint pk_tb_org_revision primary key,
    chart text not null,
    sha256 text not null,
    author text not null,
    created_at timestamptz not null
);

create table tb_agent (
    agent_id text constraint pk_tb_agent primary key,
    title text not null,
    aliases jsonb not null default '[]',
    duty text not null,
    reports_to text,
    skills jsonb not null default '[]',
    spec jsonb not null default '{}',
    state text not null default 'active' constraint ck_tb_agent_state check (state in ('active', 'paused', 'fired')),
    revision bigint not null
);

create table tb_session (
    token_hash text constraint pk_tb_session primary key,
    person_id text not null constraint fk_tb_session_person_id_tb_person references tb_person,
    created_at timestamptz not null,
    expires_at timestamptz not null
);

-- The board -------------------------------------------------------------------------------------

create table tb_sr_request (
    sr_id bigint generated always as identity constraint pk_tb_sr_request primary key,
    title text not null,
    body text not null,
    status text not null,
    kind text,
    category text,
    priority text,
    inst_id text,
    requester_id text,
    requester_name text not null default '',
    channel text not null,
    room text not null default '',
    dedupe_key text constraint uq_tb_sr_request_dedupe_key unique,
    assignee_id text,
    agent_id text,
    triage jsonb not null default '{}',
    created_at timestamptz not null,
    updated_at timestamptz not null
);
create index ix_tb_sr_request_status on tb_sr_request (status, sr_id desc);
create index ix_tb_sr_request_inst_id on tb_sr_request (inst_id, sr_id desc);

create table tb_ops_task (
    task_id bigint generated always as identity constraint pk_tb_ops_task primary key,
    sr_id bigint not null constraint fk_tb_ops_task_sr_id_tb_sr_request references tb_sr_request,
    status text not null,
    target_server text,
    action_type text,
    owner_id text,
    agent_id text,
    run_id bigint,
    fence bigint not null default 0,
    plan jsonb,
    plan_hash text,
    category text,
    created_at timestamptz not null,
    updated_at timestamptz not null
);
create index ix_tb_ops_task_created_at on tb_ops_task (created_at);
create index ix_tb_ops_task_sr_id on tb_ops_task (sr_id);
create index ix_tb_ops_task_work on tb_ops_task (agent_id, status, task_id);
create index ix_tb_ops_task_server on tb_ops_task (target_server, created_at);

create table tb_action_run (
    task_id bigint not null constraint fk_tb_action_run_task_id_tb_ops_task references tb_ops_task,
    plan_hash text not null,
    ordinal bigint not null,
    phase text not null constraint ck_tb_action_run_phase check (phase in ('do', 'undo')),
    state text not null constraint ck_tb_action_run_state check (state in ('INTENT', 'DONE', 'FAILED', 'UNKNOWN')),
    fence bigint not null,
    intent_at timestamptz not null,
    result_at timestamptz,
    constraint pk_tb_action_run primary key (task_id, plan_hash, ordinal, phase)
);

create table tb_approval (
    approval_id bigint generated always as identity constraint pk_tb_approval primary key,
    task_id bigint not null constraint fk_tb_approval_task_id_tb_ops_task references tb_ops_task,
    plan_hash text not null,
    step bigint not null,
    role text not null,
    state text not null constraint ck_tb_approval_state check (state in ('WAITING', 'APPROVED', 'REJECTED', 'VOID')),
    decided_by text,
    reason text not null default '',
    decided_at timestamptz,
    created_at timestamptz not null,
    constraint uq_tb_approval_task_id_plan_hash_step unique (task_id, plan_hash, step)
);
create index ix_tb_approval_waiting on tb_approval (role, approval_id) where state = 'WAITING';

create table tb_comment (
    comment_id bigint generated always as identity constraint pk_tb_comment primary key,
    sr_id bigint not null constraint fk_tb_comment_sr_id_tb_sr_request references tb_sr_request,
    author text not null,
    body text not null,
    created_at timestamptz not null
);
create index ix_tb_comment_sr_id on tb_comment (sr_id, comment_id);

create table tb_evidence (
    evidence_id bigint generated always as identity constraint pk_tb_evidence primary key,
    sr_id bigint not null constraint fk_tb_evidence_sr_id_tb_sr_request references tb_sr_request,
    task_id bigint not null constraint fk_tb_evidence_task_id_tb_ops_task references tb_ops_task,
    tool text not null,
    command text not null,
    findings jsonb not null,
    output text not null,
    sha256 text not null,
    created_at timestamptz not null
);
create index ix_tb_evidence_task_id on tb_evidence (task_id, evidence_id);

create table tb_msg_chat_log (
    message_id bigint generated always as identity constraint pk_tb_msg_chat_log primary key,
    channel text not null,
    external_id text not null,
    room text not null,
    sender text not null,
    text text not null,
    rule text,
    sr_id bigint,
    created_at timestamptz not null,
    constraint uq_tb_msg_chat_log_channel_external_id unique (channel, external_id)
);
create index ix_tb_msg_chat_log_room on tb_msg_chat_log (room, created_at);

create table tb_outbox (
    outbox_id bigint generated always as identity constraint pk_tb_outbox primary key,
    kind text not null constraint ck_tb_outbox_kind check (kind in ('message', 'alert')),
    room text not null default '',
    sr_id bigint,
    text text not null,
    created_at timestamptz not null,
    delivered_at timestamptz,
    attempts bigint not null default 0,
    last_error text
);
create index ix_tb_outbox_pending on tb_outbox (outbox_id) where delivered_at is null;

-- Heartbeats --------------------------------------------------------------------------------------

create table tb_agent_run (
    run_id bigint generated always as identity constraint pk_tb_agent_run primary key,
    agent_id text not null,
    reasons jsonb not null default '[]',
    task_id bigint,
    outcome text,
    steps bigint not null default 0,
    tokens bigint not null default 0,
    started_at timestamptz not null,
    ended_at timestamptz
);
create index ix_tb_agent_run_agent_id on tb_agent_run (agent_id, run_id desc);

create table tb_wake (
    wake_id bigint generated always as identity constraint pk_tb_wake primary key,
    agent_id text not null,
    reason text not null,
    sr_id bigint,
    created_at timestamptz not null,
    run_id bigint
);
create index ix_tb_wake_pending on tb_wake (agent_id, wake_id) where run_id is null;

create table tb_tick (
    agent_id text not null,
    tick timestamptz not null,
    constraint pk_tb_tick primary key (agent_id, tick)
);

-- The record --------------------------------------------------------------------------------------

create table tb_audit_log (
    seq bigint constraint pk_tb_audit_log primary key,
    created_at timestamptz not null constraint uq_tb_audit_log_created_at unique,
    actor text not null,
    kind text not null,
    sr_id bigint,
    task_id bigint,
    log_content text not null,
    detail jsonb not null,
    previous_hash text not null,
    current_hash text not null constraint uq_tb_audit_log_current_hash unique
);
create index ix_tb_audit_log_sr_id on tb_audit_log (sr_id, seq);
create index ix_tb_audit_log_task_id on tb_audit_log (task_id, seq);

create table tb_audit_head (
    chain text constraint pk_tb_audit_head primary key,
    size bigint not null,
    head text not null,
    last_at timestamptz not null
);
insert into tb_audit_head values ('main', 0, repeat('0', 64), '1970-01-01 00:00:00+00');

create function audit_log_is_append_only() returns trigger language plpgsql as $$
begin
    raise exception 'tb_audit_log is append-only' using errcode = 'insufficient_privilege';
end $$;
create trigger append_only before update or delete or truncate on tb_audit_log
    for each statement execute function audit_log_is_append_only();

-- The user's dashboard query calls the first link TAMPERED, having no predecessor to compare; this is
-- the same view with the first link compared to the chain's origin.
create view v_audit_integrity as
select seq, task_id, previous_hash, current_hash, created_at,
       case when previous_hash = lag(current_hash, 1, repeat('0', 64)) over (order by seq)
            then 'VALID' else 'TAMPERED' end as integrity_status
from tb_audit_log;

-- Rights: the application reads and writes rows, but never rewrites the record ----------------------

do $$ begin
    if not exists (select from pg_roles where rolname = 'guardia_app') then
        create role guardia_app nologin;
    end if;
end $$;
grant usage on schema public to guardia_app;
grant select, insert, update, delete on all tables in schema public to guardia_app;
grant usage on all sequences in schema public to guardia_app;
revoke update, delete, truncate on tb_audit_log from guardia_app;
revoke insert, delete, truncate on tb_audit_head from guardia_app;
alter default privileges in schema public grant select, insert, update, delete on tables to guardia_app;
alter default privileges in schema public grant usage on sequences to guardia_app;
