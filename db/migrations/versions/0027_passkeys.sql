-- Passkeys of people and the challenges that they sign. The public key is in the audit log as well.

create table tb_passkey (
    passkey_id bigint generated always as identity constraint pk_tb_passkey primary key,
    person_id text not null constraint fk_tb_passkey_person_id_tb_person references tb_person,
    credential text not null constraint uq_tb_passkey_credential unique,
    public_key text not null,
    rp_id text not null,
    sign_count bigint not null constraint ck_tb_passkey_sign_count check (sign_count >= 0),
    name text not null,
    created_at timestamptz not null,
    last_used_at timestamptz,
    removed_at timestamptz,
    removed_by text
);
create index ix_tb_passkey_person_id on tb_passkey (person_id);

create table tb_passkey_challenge (
    challenge text constraint pk_tb_passkey_challenge primary key,
    person_id text not null
        constraint fk_tb_passkey_challenge_person_id_tb_person references tb_person,
    purpose text not null
        constraint ck_tb_passkey_challenge_purpose check (purpose in ('register', 'decide')),
    content jsonb not null default '{}',
    expires_at timestamptz not null,
    used_at timestamptz
);
create index ix_tb_passkey_challenge_expires_at on tb_passkey_challenge (expires_at);

-- A step that was requested while the policy demanded a passkey keeps demanding it.
alter table tb_approval add column signature text not null default ''
    constraint ck_tb_approval_signature check (signature in ('', 'passkey'));

-- Before each change the keys of the approvers are read from the audit log.
create index ix_tb_audit_log_passkeys on tb_audit_log (seq)
    where kind in ('passkey_registered', 'passkey_removed', 'passkey_cloned');
