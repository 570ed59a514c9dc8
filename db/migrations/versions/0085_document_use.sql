-- What a worker has found for the page of an issue: related documents and similar past issues.
create table tb_issue_related (
    sr_id bigint constraint pk_tb_issue_related primary key
        constraint fk_tb_issue_related_sr_id_tb_sr_request references tb_sr_request (sr_id) on delete cascade,
    state text not null default 'WAITING'
        constraint ck_tb_issue_related_state check (state in ('WAITING', 'TAKEN', 'FOUND')),
    text_digest text not null default '',
    documents jsonb not null default '[]',
    open_documents jsonb not null default '[]',
    issues jsonb not null default '[]',
    wanted_at timestamptz not null,
    found_at timestamptz
);
create index ix_tb_issue_related_waiting on tb_issue_related (wanted_at) where state = 'WAITING';
create index ix_tb_issue_related_wanted_at on tb_issue_related (wanted_at);

-- How passages are used; the totals of their documents are kept by a trigger.
create table tb_passage_use (
    passage_id bigint constraint pk_tb_passage_use primary key
        constraint fk_tb_passage_use_passage_id_tb_passage references tb_passage (passage_id) on delete cascade,
    document_id bigint not null
        constraint fk_tb_passage_use_document_id_tb_document references tb_document (document_id),
    found bigint not null default 0,
    opened bigint not null default 0,
    cited bigint not null default 0,
    helped bigint not null default 0,
    unhelped bigint not null default 0
);
create index ix_tb_passage_use_document_id on tb_passage_use (document_id);
create table tb_document_use (
    document_id bigint constraint pk_tb_document_use primary key
        constraint fk_tb_document_use_document_id_tb_document references tb_document (document_id),
    found bigint not null default 0,
    opened bigint not null default 0,
    cited bigint not null default 0,
    helped bigint not null default 0,
    unhelped bigint not null default 0,
    last_used_at timestamptz
);
create function passage_use_has_grown() returns trigger language plpgsql as $$
declare
    before tb_passage_use;
begin
    if tg_op = 'UPDATE' then before := old; end if;
    insert into tb_document_use as u (document_id, found, opened, cited, helped, unhelped, last_used_at)
        values (new.document_id, new.found - coalesce(before.found, 0), new.opened - coalesce(before.opened, 0),
            new.cited - coalesce(before.cited, 0), new.helped - coalesce(before.helped, 0),
            new.unhelped - coalesce(before.unhelped, 0), now())
        on conflict (document_id) do update set found = u.found + excluded.found, opened = u.opened + excluded.opened,
            cited = u.cited + excluded.cited, helped = u.helped + excluded.helped,
            unhelped = u.unhelped + excluded.unhelped, last_used_at = excluded.last_used_at;
    return null;
end $$;
create trigger passage_use_has_grown after insert or update on tb_passage_use
    for each row execute function passage_use_has_grown();

-- Which issue cites which passage, and whether that issue was solved.
create table tb_issue_citation (
    sr_id bigint constraint fk_tb_issue_citation_sr_id_tb_sr_request references tb_sr_request (sr_id) on delete cascade,
    passage_id bigint
        constraint fk_tb_issue_citation_passage_id_tb_passage references tb_passage (passage_id) on delete cascade,
    cited_at timestamptz not null,
    outcome text constraint ck_tb_issue_citation_outcome check (outcome in ('helped', 'unhelped', 'unused')),
    constraint pk_tb_issue_citation primary key (sr_id, passage_id)
);
create index ix_tb_issue_citation_passage_id on tb_issue_citation (passage_id);
create index ix_tb_issue_citation_open on tb_issue_citation (sr_id) where outcome is null;

-- What people say of a passage.
create table tb_passage_rating (
    passage_id bigint
        constraint fk_tb_passage_rating_passage_id_tb_passage references tb_passage (passage_id) on delete cascade,
    person_id text constraint fk_tb_passage_rating_person_id_tb_person references tb_person (person_id),
    verdict text not null constraint ck_tb_passage_rating_verdict check (verdict in ('helped', 'wrong')),
    reason text not null default '',
    rated_at timestamptz not null,
    constraint pk_tb_passage_rating primary key (passage_id, person_id)
);
create index ix_tb_passage_rating_person_id on tb_passage_rating (person_id);

-- Why a published version needs an update. A later version begins without findings.
create table tb_document_finding (
    finding_id bigint generated always as identity constraint pk_tb_document_finding primary key,
    document_id bigint not null
        constraint fk_tb_document_finding_document_id_tb_document references tb_document (document_id),
    version_id bigint not null constraint fk_tb_document_finding_version_id_tb_document_version
        references tb_document_version (version_id),
    reason text not null constraint ck_tb_document_finding_reason
        check (reason in ('verification', 'found_nothing', 'wrong', 'server_version')),
    key text not null,
    detail text not null default '',
    sr_id bigint,
    found_at timestamptz not null,
    constraint uq_tb_document_finding_version_id_key unique (version_id, key)
);
create index ix_tb_document_finding_document_id on tb_document_finding (document_id, finding_id);

-- Answers by day: to questions of people, and to agents' searches for their work.
create table tb_answer_day (
    day date,
    asker text constraint ck_tb_answer_day_asker check (asker in ('person', 'agent')),
    answered bigint not null default 0,
    unanswered bigint not null default 0,
    constraint pk_tb_answer_day primary key (day, asker)
);
-- Issues for whose work no document was found.
create table tb_document_gap (
    sr_id bigint constraint pk_tb_document_gap primary key
        constraint fk_tb_document_gap_sr_id_tb_sr_request references tb_sr_request (sr_id) on delete cascade,
    searched_at timestamptz not null
);
create index ix_tb_document_gap_searched_at on tb_document_gap (searched_at);

create index ix_tb_document_question_person_id on tb_document_question (person_id, question_id);
create index ix_tb_document_question_taken on tb_document_question (asked_at) where state = 'TAKEN';
create index ix_tb_document_question_unanswered on tb_document_question (asked_at)
    where state = 'ANSWERED' and not fits;

create index ix_tb_document_updated_at on tb_document (updated_at) where published_id is not null;

-- Tells the workers that published documents may have changed.
create function documents_have_changed() returns trigger language plpgsql as $$
begin
    perform pg_notify('guardia_documents', '');
    return null;
end $$;
create trigger documents_have_changed after insert or update or delete on tb_document
    for each statement execute function documents_have_changed();
