create table tb_document (
    document_id bigint generated always as identity constraint pk_tb_document primary key,
    title text not null,
    kind text not null default 'document'
        constraint ck_tb_document_kind check (kind in ('document', 'runbook')),
    runbook_id text constraint uq_tb_document_runbook_id unique,
    field text not null default '',
    inst_id text,
    server_id text,
    owner_id text constraint fk_tb_document_owner_id_tb_person references tb_person (person_id),
    audience text not null default 'roles'
        constraint ck_tb_document_audience check (audience in ('all', 'institution', 'roles')),
    roles jsonb not null default '[]',
    expires_at timestamptz,
    state text not null default 'DRAFT'
        constraint ck_tb_document_state check (state in ('DRAFT', 'PUBLISHED', 'REMOVED')),
    published_id bigint,
    source text not null default '',
    created_by text not null,
    created_at timestamptz not null,
    updated_at timestamptz not null
);
create index ix_tb_document_inst_id on tb_document (inst_id, document_id);
create index ix_tb_document_server_id on tb_document (server_id, document_id);
create index ix_tb_document_field on tb_document (field, document_id);
create index ix_tb_document_owner_id on tb_document (owner_id, document_id);
create index ix_tb_document_published_id on tb_document (published_id);
create index ix_tb_document_expires_at on tb_document (expires_at) where expires_at is not null;

create table tb_document_version (
    version_id bigint generated always as identity constraint pk_tb_document_version primary key,
    document_id bigint not null constraint fk_tb_document_version_document_id_tb_document
        references tb_document (document_id),
    number bigint not null,
    sha256 text not null constraint fk_tb_document_version_sha256_tb_blob references tb_blob (sha256),
    size bigint not null,
    file_name text not null,
    format text not null default '',
    reading text not null default 'WAITING'
        constraint ck_tb_document_version_reading check (reading in ('WAITING', 'READ', 'UNREADABLE')),
    problem text not null default '',
    body text not null default '',
    pages bigint not null default 0,
    read_ms bigint not null default 0,
    review text not null default 'DRAFT' constraint ck_tb_document_version_review
        check (review in ('DRAFT', 'IN_REVIEW', 'PUBLISHED', 'REJECTED', 'SUPERSEDED')),
    author text not null,
    comment text not null default '',
    restored_from bigint,
    created_at timestamptz not null,
    submitted_at timestamptz,
    reviewed_by text,
    reviewed_at timestamptz,
    review_note text not null default '',
    constraint uq_tb_document_version_document_id_number unique (document_id, number)
);
create index ix_tb_document_version_sha256 on tb_document_version (sha256);
create index ix_tb_document_version_review on tb_document_version (version_id)
    where review = 'IN_REVIEW';

create table tb_passage (
    passage_id bigint generated always as identity constraint pk_tb_passage primary key,
    version_id bigint not null constraint fk_tb_passage_version_id_tb_document_version
        references tb_document_version (version_id) on delete cascade,
    ordinal bigint not null,
    heading_path jsonb not null default '[]',
    page bigint,
    sheet text not null default '',
    text text not null,
    sha256 text not null,
    constraint uq_tb_passage_version_id_ordinal unique (version_id, ordinal)
);
create index ix_tb_passage_sha256 on tb_passage (sha256);
