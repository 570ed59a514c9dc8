-- Mails: what became of each, how far the mailbox was read, and the files that they brought.
create table tb_mail (
    mail_id bigint generated always as identity constraint pk_tb_mail primary key,
    external_id text not null constraint uq_tb_mail_external_id unique,
    sender text not null,
    verified boolean not null,
    subject text not null,
    outcome text not null,
    sr_id bigint constraint fk_tb_mail_sr_id_tb_sr_request references tb_sr_request (sr_id),
    received_at timestamptz not null
);
create index ix_tb_mail_sr_id on tb_mail (sr_id, mail_id);
create table tb_mailbox (
    mailbox text not null constraint pk_tb_mailbox primary key,
    uid_validity bigint not null,
    last_uid bigint not null,
    read_at timestamptz not null
);
create table tb_attachment (
    attachment_id bigint generated always as identity constraint pk_tb_attachment primary key,
    sr_id bigint not null constraint fk_tb_attachment_sr_id_tb_sr_request
        references tb_sr_request (sr_id),
    source text not null,
    ordinal bigint not null,
    file_name text not null,
    media_type text not null,
    size bigint not null constraint ck_tb_attachment_size check (size >= 0),
    sha256 text not null,
    kept text constraint fk_tb_attachment_kept_tb_blob references tb_blob (sha256),
    reason text not null default '',
    created_at timestamptz not null,
    constraint uq_tb_attachment_source_ordinal unique (source, ordinal)
);
create index ix_tb_attachment_sr_id on tb_attachment (sr_id, attachment_id);
create index ix_tb_attachment_kept on tb_attachment (kept);
