-- What agents know of an issue, and what they have learned for good; nothing written is ever lost.

create table tb_note (
    note_id bigint generated always as identity constraint pk_tb_note primary key,
    agent_id text not null,
    kind text not null constraint ck_tb_note_kind check (kind in ('working', 'lesson')),
    sr_id bigint constraint fk_tb_note_sr_id_tb_sr_request references tb_sr_request,
    server text,
    runbook text,
    outcome text constraint ck_tb_note_outcome check (outcome in ('worked', 'failed', 'unfit')),
    body text not null,
    active boolean not null default true,
    version bigint not null default 1,
    written_by text not null,
    created_at timestamptz not null,
    updated_at timestamptz not null
);
create index ix_tb_note_agent_id on tb_note (agent_id, kind, updated_at desc);
create unique index uq_tb_note_working on tb_note (agent_id, sr_id) where kind = 'working';
create unique index uq_tb_note_lesson on tb_note (agent_id, server, runbook)
    where kind = 'lesson' and runbook is not null;

create table tb_note_version (
    note_id bigint not null constraint fk_tb_note_version_note_id_tb_note references tb_note,
    version bigint not null,
    body text not null,
    active boolean not null,
    written_by text not null,
    written_at timestamptz not null,
    constraint pk_tb_note_version primary key (note_id, version)
);
revoke update, delete, truncate on tb_note_version from guardia_app;
