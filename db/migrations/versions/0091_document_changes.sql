-- Ended issues that cite a document and may lead to a change of it, and the version that came of them.
create table tb_document_change (
    document_id bigint constraint fk_tb_document_change_document_id_tb_document references tb_document (document_id),
    sr_id bigint constraint fk_tb_document_change_sr_id_tb_sr_request
        references tb_sr_request (sr_id) on delete cascade,
    reason text constraint ck_tb_document_change_reason check (reason in ('otherwise', 'verification')),
    noted_at timestamptz not null,
    settled_at timestamptz,
    version_id bigint constraint fk_tb_document_change_version_id_tb_document_version
        references tb_document_version (version_id),
    constraint pk_tb_document_change primary key (document_id, sr_id, reason)
);
create index ix_tb_document_change_sr_id on tb_document_change (sr_id);
create index ix_tb_document_change_open on tb_document_change (document_id, sr_id) where settled_at is null;
create index ix_tb_document_change_version_id on tb_document_change (version_id) where version_id is not null;

-- Rules and facts about servers that published documents state, and what people made of them.
create table tb_stated_sentence (
    sentence_id bigint generated always as identity constraint pk_tb_stated_sentence primary key,
    document_id bigint not null
        constraint fk_tb_stated_sentence_document_id_tb_document references tb_document (document_id),
    version_id bigint not null constraint fk_tb_stated_sentence_version_id_tb_document_version
        references tb_document_version (version_id),
    ordinal bigint not null,
    digest text not null,
    kind text not null constraint ck_tb_stated_sentence_kind check (kind in ('never', 'freeze', 'fact')),
    sentence text not null,
    fields jsonb not null default '{}',
    state text not null default 'PROPOSED'
        constraint ck_tb_stated_sentence_state check (state in ('PROPOSED', 'ACCEPTED', 'REFUSED')),
    result text not null default '',
    reason text not null default '',
    found_at timestamptz not null,
    decided_by text,
    decided_at timestamptz,
    constraint uq_tb_stated_sentence_document_id_digest unique (document_id, digest)
);
create index ix_tb_stated_sentence_digest on tb_stated_sentence (digest);
create index ix_tb_stated_sentence_state on tb_stated_sentence (state, sentence_id);

-- The published version whose sentences were read.
alter table tb_document add column stated_id bigint;
create index ix_tb_document_unstated on tb_document (document_id)
    where state = 'PUBLISHED' and stated_id is distinct from published_id;
