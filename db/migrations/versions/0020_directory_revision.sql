-- Every process keeps the names of institutions and servers, and an index over them, until this number changes.
-- The number is that of the transaction that changed them last: it is never used again.

create table tb_directory_revision (
    only_row boolean primary key default true check (only_row),
    revision bigint not null
);
insert into tb_directory_revision (revision) values (0);

create function directory_has_changed() returns trigger language plpgsql as $$
begin
    insert into tb_directory_revision (revision) values (pg_current_xact_id()::text::bigint)
        on conflict (only_row) do update set revision = excluded.revision
        where tb_directory_revision.revision <> excluded.revision;
    return null;
end $$;

create trigger directory_changed after insert or update or delete or truncate on tb_inst_meta
    for each statement execute function directory_has_changed();
create trigger directory_changed after insert or update or delete or truncate on tb_server_info
    for each statement execute function directory_has_changed();

-- A lesson says what is known of the server: undone, unchanged, not undone, or unknown.
alter table tb_note drop constraint ck_tb_note_outcome;
alter table tb_note add constraint ck_tb_note_outcome
    check (outcome in ('worked', 'failed', 'unchanged', 'not_undone', 'unknown', 'unfit'));

-- A part whose server the goal's text does not name: people choose it.
alter table tb_goal_part add column guessed boolean not null default false;

-- What a call reserves is measured with what earlier calls of the same question used for their size.
alter table tb_model_call add column size_in bigint not null default 0;
create index ix_tb_model_call_measured on tb_model_call (model, question, prompt_version, call_id desc)
    where size_in > 0 and not estimated;
