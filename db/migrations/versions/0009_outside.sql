-- Outside agents: one token for one hold (only its hash), and what its holder asked the worker for.

create table tb_outside_session (
    session_id bigint generated always as identity constraint pk_tb_outside_session primary key,
    token_hash text not null constraint uq_tb_outside_session_token_hash unique,
    agent_id text not null,
    run_id bigint not null,
    task_id bigint not null constraint fk_tb_outside_session_task_id_tb_ops_task references tb_ops_task,
    sr_id bigint not null constraint fk_tb_outside_session_sr_id_tb_sr_request references tb_sr_request,
    fence bigint not null,
    offer jsonb not null,
    budget bigint not null,
    calls bigint not null default 0,
    refusals bigint not null default 0,
    opened_at timestamptz not null,
    expires_at timestamptz not null,
    closed_at timestamptz
);
create index ix_tb_outside_session_task_id on tb_outside_session (task_id) where closed_at is null;

create table tb_outside_call (
    call_id bigint generated always as identity constraint pk_tb_outside_call primary key,
    session_id bigint not null constraint fk_tb_outside_call_session_id_tb_outside_session
        references tb_outside_session,
    kind text not null constraint ck_tb_outside_call_kind check (kind in ('read', 'plan', 'apply', 'finish')),
    body jsonb not null,
    state text not null constraint ck_tb_outside_call_state check (state in ('WAITING', 'RUNNING', 'ENDED')),
    status bigint,
    result jsonb,
    created_at timestamptz not null,
    ended_at timestamptz
);
create index ix_tb_outside_call_session_id on tb_outside_call (session_id, call_id);
-- One thing at a time.
create unique index uq_tb_outside_call_open on tb_outside_call (session_id) where state <> 'ENDED';
