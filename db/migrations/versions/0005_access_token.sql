-- Access tokens of people's own programs; only hashes are kept.

create table tb_access_token (
    token_id bigint generated always as identity constraint pk_tb_access_token primary key,
    person_id text not null constraint fk_tb_access_token_person_id_tb_person references tb_person,
    name text not null,
    rights jsonb not null default '[]',
    token_hash text not null constraint uq_tb_access_token_token_hash unique,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    revoked_at timestamptz
);
create index ix_tb_access_token_person_id on tb_access_token (person_id, token_id desc);
