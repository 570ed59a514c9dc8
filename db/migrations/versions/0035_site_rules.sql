-- Every version of each site rule. At most one version of a name is active, and one proposed.
create table tb_site_rule (
    name text not null,
    version bigint not null,
    scope text not null,
    body jsonb not null,
    sentence text not null,
    hash text not null,
    state text not null constraint ck_tb_site_rule_state
        check (state in ('ACTIVE', 'PROPOSED', 'SUPERSEDED', 'REMOVED', 'REJECTED')),
    removes boolean not null default false,
    author text not null,
    reason text not null,
    created_at timestamptz not null,
    decided_by text,
    decided_at timestamptz,
    constraint pk_tb_site_rule primary key (name, version)
);
create index ix_tb_site_rule_scope on tb_site_rule (scope, name) where state = 'ACTIVE';
create unique index uq_tb_site_rule_active on tb_site_rule (name) where state = 'ACTIVE';
create unique index uq_tb_site_rule_proposed on tb_site_rule (name) where state = 'PROPOSED';
-- Attempts of the last hours, for rules that count changes or demand an order of servers.
create index ix_tb_action_run_intent_at on tb_action_run (intent_at);
