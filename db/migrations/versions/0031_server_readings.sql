-- Reads of servers that pages have asked for: a worker carries them out.
create table tb_server_reading (
    reading_id bigint generated always as identity constraint pk_tb_server_reading primary key,
    server_id text not null,
    what text not null constraint ck_tb_server_reading_what check (what in ('key', 'probe', 'check')),
    state text not null default 'waiting'
        constraint ck_tb_server_reading_state check (state in ('waiting', 'running', 'done', 'failed')),
    target jsonb not null,
    result jsonb not null default '{}',
    why text not null default '',
    person_id text constraint fk_tb_server_reading_person_id_tb_person references tb_person,
    asked_at timestamptz not null,
    ended_at timestamptz
);
create index ix_tb_server_reading_server_id on tb_server_reading (server_id, reading_id desc);

-- What the audit log says of a server itself.
create index ix_tb_audit_log_server on tb_audit_log ((detail ->> 'server'), seq)
    where kind in ('host_key_changed', 'host_key_confirmed', 'inspected', 'inspection', 'inspection_failed',
        'server_changed', 'server_enrolled', 'server_removed');
