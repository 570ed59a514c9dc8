create table tb_indexed_text (
    sha256 text not null,
    model text not null,
    words text not null,
    vector bytea,
    created_at timestamptz not null,
    constraint pk_tb_indexed_text primary key (sha256, model)
);

create table tb_document_question (
    question_id bigint generated always as identity
        constraint pk_tb_document_question primary key,
    person_id text not null
        constraint fk_tb_document_question_person_id_tb_person references tb_person (person_id),
    question text not null,
    state text not null default 'WAITING' constraint ck_tb_document_question_state
        check (state in ('WAITING', 'TAKEN', 'ANSWERED', 'FAILED')),
    fits boolean not null default false,
    confidence double precision not null default 0,
    passages jsonb not null default '[]',
    answer jsonb not null default '[]',
    asked_at timestamptz not null,
    answered_at timestamptz
);
create index ix_tb_document_question_waiting on tb_document_question (question_id)
    where state = 'WAITING';
create index ix_tb_document_question_asked_at on tb_document_question (asked_at);
