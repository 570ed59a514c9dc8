-- What models and work cost. Money in millionths of a won; days of the company's time zone. A call is
-- reserved at its worst in all accounts that it touches before it is sent, so no number of workers
-- together can spend more than a cap.

create table tb_model_call (
    call_id bigint generated always as identity constraint pk_tb_model_call primary key,
    run_id bigint,
    task_id bigint,
    sr_id bigint,
    agent_id text not null,
    inst_id text not null default '',
    question text not null,
    provider text not null,
    model text not null,
    prompt_version text not null default '',
    state text not null constraint ck_tb_model_call_state check (state in ('RESERVED', 'SETTLED')),
    outcome text constraint ck_tb_model_call_outcome
        check (outcome in ('used', 'unusable', 'failed', 'refused', 'abandoned', 'reported')),
    why text not null default '',
    day date not null,
    most_in bigint not null default 0,
    most_out bigint not null default 0,
    price_in bigint not null default 0,
    price_out bigint not null default 0,
    tokens_in bigint not null default 0,
    tokens_out bigint not null default 0,
    cost bigint not null default 0,
    estimated boolean not null default false,
    latency_ms bigint not null default 0,
    started_at timestamptz not null,
    ended_at timestamptz,
    expires_at timestamptz not null,
    constraint ck_tb_model_call_amounts
        check (least(tokens_in, tokens_out, cost, latency_ms, most_in, most_out, price_in, price_out) >= 0)
);
create index ix_tb_model_call_sr_id on tb_model_call (sr_id, call_id);
create index ix_tb_model_call_run_id on tb_model_call (run_id);
create index ix_tb_model_call_expires_at on tb_model_call (expires_at) where state = 'RESERVED';

create table tb_budget_account (
    scope text not null constraint ck_tb_budget_account_scope check (scope in ('agent', 'company', 'institution')),
    scope_id text not null,
    span text not null constraint ck_tb_budget_account_span check (span in ('day', 'month')),
    begins date not null,
    spent_tokens bigint not null default 0,
    spent_cost bigint not null default 0,
    reserved_tokens bigint not null default 0,
    reserved_cost bigint not null default 0,
    extra_tokens bigint not null default 0,
    extra_cost bigint not null default 0,
    warned_at timestamptz,
    exhausted_at timestamptz,
    constraint pk_tb_budget_account primary key (scope, scope_id, span, begins),
    constraint ck_tb_budget_account_amounts
        check (least(spent_tokens, spent_cost, reserved_tokens, reserved_cost, extra_tokens, extra_cost) >= 0)
);

create table tb_budget_pause (
    pause_id bigint generated always as identity constraint pk_tb_budget_pause primary key,
    agent_id text not null,
    sr_id bigint,
    needed_tokens bigint not null,
    needed_cost bigint not null,
    paused_at timestamptz not null,
    ended_at timestamptz,
    ended_by text
);
create unique index uq_tb_budget_pause_open on tb_budget_pause (agent_id) where ended_at is null;

-- Sums, written in the transaction that settles a call, so that what people look at stays small.
create table tb_cost_day (
    day date not null,
    agent_id text not null,
    inst_id text not null,
    model text not null,
    calls bigint not null default 0,
    unused bigint not null default 0,
    tokens_in bigint not null default 0,
    tokens_out bigint not null default 0,
    cost bigint not null default 0,
    latency_ms bigint not null default 0,
    runs bigint not null default 0,
    wall_ms bigint not null default 0,
    commands bigint not null default 0,
    command_ms bigint not null default 0,
    constraint pk_tb_cost_day primary key (day, agent_id, inst_id, model)
);
create table tb_cost_issue (
    month date not null,
    sr_id bigint not null,
    calls bigint not null default 0,
    tokens_in bigint not null default 0,
    tokens_out bigint not null default 0,
    cost bigint not null default 0,
    commands bigint not null default 0,
    command_ms bigint not null default 0,
    constraint pk_tb_cost_issue primary key (month, sr_id)
);
create index ix_tb_cost_issue_month on tb_cost_issue (month, cost desc, sr_id);

-- Calls, accounts and sums are the application's to write; none of them is ever deleted by it.
revoke delete, truncate on tb_model_call, tb_budget_account, tb_budget_pause, tb_cost_day, tb_cost_issue
    from guardia_app;

alter table tb_agent_run add column commands bigint not null default 0;
