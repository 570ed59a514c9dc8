create table tb_account (
    person_id text not null constraint pk_tb_account primary key
        constraint fk_tb_account_person_id_tb_person references tb_person,
    must_change boolean not null default false,
    password_changed_at timestamptz,
    expires_at timestamptz,
    vendor boolean not null default false,
    failures bigint not null default 0,
    locked_until timestamptz,
    lock_reason text not null default '',
    signed_in_at timestamptz,
    signed_in_from text not null default ''
);
create index ix_tb_account_expires_at on tb_account (expires_at) where expires_at is not null;
-- How old these passwords are is not known: they count as new, so that no one is shut out at once.
insert into tb_account (person_id, password_changed_at)
select person_id, now() from tb_person where password_hash is not null;

create table tb_password_history (
    record_id bigint generated always as identity constraint pk_tb_password_history primary key,
    person_id text not null
        constraint fk_tb_password_history_person_id_tb_person references tb_person,
    password_hash text not null,
    changed_at timestamptz not null
);
create index ix_tb_password_history_person_id on tb_password_history (person_id, record_id desc);

create table tb_sign_in (
    sign_in_id bigint generated always as identity constraint pk_tb_sign_in primary key,
    person_id text not null,
    at timestamptz not null,
    source text not null,
    way text not null,
    outcome text not null
);
create index ix_tb_sign_in_person_id on tb_sign_in (person_id, sign_in_id desc);
revoke update, delete, truncate on tb_sign_in from guardia_app;

alter table tb_session
    add column session_id bigint generated always as identity
        constraint uq_tb_session_session_id unique,
    add column used_at timestamptz not null default now(),
    add column source text not null default '',
    add column agent text not null default '',
    add column previous_at timestamptz,
    add column previous_from text not null default '',
    add column failures bigint not null default 0;
create index ix_tb_session_person_id on tb_session (person_id);
