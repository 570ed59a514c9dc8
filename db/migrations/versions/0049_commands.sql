create table tb_command (
    command_id bigint generated always as identity
        constraint pk_tb_command primary key,
    person_id text not null
        constraint fk_tb_command_person_id_tb_person references tb_person (person_id),
    rights jsonb,
    channel text not null,
    room text not null default '',
    thread text not null default '',
    context_id bigint,
    text text not null,
    structure jsonb not null,
    options jsonb not null default '[]',
    answers jsonb not null default '{}',
    state text not null
        constraint ck_tb_command_state check (state in ('CLARIFY', 'CONFIRM', 'SCHEDULED', 'RUNNING',
            'DONE', 'ANSWERED', 'REFUSED', 'CANCELLED', 'EXPIRED', 'MISSED', 'UNKNOWN')),
    outcome text not null default '',
    sr_id bigint,
    path text not null default '',
    undo jsonb not null default '{}',
    created_at timestamptz not null,
    expires_at timestamptz,
    run_at timestamptz,
    begun_at timestamptz,
    ended_at timestamptz
);
create index ix_tb_command_person_id on tb_command (person_id, command_id desc);
create index ix_tb_command_run_at on tb_command (run_at) where state = 'SCHEDULED';
create index ix_tb_command_open on tb_command (command_id)
    where state in ('CLARIFY', 'CONFIRM', 'RUNNING');

-- As tb_directory_revision, for the names of people and agents.
create table tb_people_revision (
    only_row boolean
        constraint pk_tb_people_revision primary key default true
        constraint ck_tb_people_revision_only_row check (only_row),
    revision bigint not null
);
insert into tb_people_revision (revision) values (0);

create function people_have_changed() returns trigger language plpgsql as $$
begin
    insert into tb_people_revision (revision) values (pg_current_xact_id()::text::bigint)
        on conflict (only_row) do update set revision = excluded.revision
        where tb_people_revision.revision <> excluded.revision;
    return null;
end $$;

create trigger people_changed after insert or delete or update of name, title, role, inst_id, active
    on tb_person for each statement execute function people_have_changed();
create trigger people_changed after insert or delete or update of title, aliases, duty, state
    on tb_agent for each statement execute function people_have_changed();
