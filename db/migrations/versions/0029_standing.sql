-- Standing approvals. A row permits nothing: decisions, uses and ends are audit entries.
create table tb_standing (
    standing_id bigint generated always as identity constraint pk_tb_standing primary key,
    document text not null,
    version bigint not null,
    sha256 text not null,
    title text not null,
    category text not null,
    institution text not null,
    kind text not null,
    state text not null constraint ck_tb_standing_state
        check (state in ('PROPOSED', 'APPROVED', 'REJECTED', 'REVOKED', 'EXPIRED')),
    terms jsonb not null,
    proposed_by text not null,
    proposed_at timestamptz not null,
    approved_at timestamptz,
    ended_at timestamptz,
    ended_by text,
    reason text not null default ''
);
create unique index uq_tb_standing_open on tb_standing (document, institution, kind, category)
    where state in ('PROPOSED', 'APPROVED');
create index ix_tb_audit_log_started on tb_audit_log (seq) where kind = 'started';
create index ix_tb_audit_log_standing on tb_audit_log (seq) where kind in (
    'standing_proposed', 'standing_terms', 'standing_decided', 'standing_ended', 'standing_used');
