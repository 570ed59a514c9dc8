-- Text search without extensions: the embedded server has no pg_trgm, and no parser splits Korean words from their
-- particles. Each pair of neighbouring characters is a lexeme; a word is found by all of its pairs, then compared.

-- The form in which texts are searched: without case, width, kinds of dashes, dots and blanks.
create function search_form(given text) returns text language sql immutable parallel safe as $$
    select btrim(regexp_replace(
        lower(normalize(translate(translate(given, '•‧∙⋅・ㆍ･〜∼‐‑‒–—―−', '·······~~-------'),
            U&'\200B\200C\200D\2060\FEFF\00AD', ''), NFKC)),
        '\s+', ' ', 'g'))
$$;

-- A pair that begins with a blank finds nothing that the others do not; the last character is a pair with a blank.
create function search_pairs(form text) returns tsvector language sql immutable parallel safe cost 1000 as $$
    select coalesce(array_to_tsvector(array_agg(distinct c || d) filter (where c <> ' ')), ''::tsvector)
    from (
        select c, lead(c, 1, ' ') over (order by n) as d from string_to_table(form, null) with ordinality as s (c, n)
    ) as pairs
$$;

-- All pairs inside a word; a single character is the beginning of a pair.
create function search_query(form text) returns tsquery language sql immutable parallel safe as $$
    select string_agg(
        '''' || replace(replace(c || coalesce(d, ''), '\', '\\'), '''', '''''') || '''' || case when d is null then ':*' else '' end,
        ' & ')::tsquery
    from (
        select c, lead(c) over (order by n) as d, n from string_to_table(form, null) with ordinality as s (c, n)
    ) as pairs
    where c <> ' ' and (d is not null or n = 1)
$$;

create table tb_issue_search (
    sr_id bigint not null constraint pk_tb_issue_search primary key
        constraint fk_tb_issue_search_sr_id_tb_sr_request references tb_sr_request on delete cascade,
    form text not null
);

create function store_issue_search(number bigint) returns void language sql as $$
    insert into tb_issue_search (sr_id, form)
        select i.sr_id, search_form(concat_ws(E'\n',
            case when starts_with(i.body, i.title) then null else i.title end, i.body,
            (select string_agg(distinct t.target_server, ' ') from tb_ops_task t where t.sr_id = i.sr_id)))
        from tb_sr_request i where i.sr_id = number
        on conflict (sr_id) do update set form = excluded.form where tb_issue_search.form <> excluded.form
$$;

create function issue_text_has_changed() returns trigger language plpgsql as $$
begin
    perform store_issue_search(new.sr_id);
    return null;
end $$;

create trigger issue_text_added after insert on tb_sr_request
    for each row execute function issue_text_has_changed();
create trigger issue_text_changed after update of title, body on tb_sr_request
    for each row when (new.title <> old.title or new.body <> old.body) execute function issue_text_has_changed();
create trigger issue_server_added after insert on tb_ops_task
    for each row when (new.target_server is not null) execute function issue_text_has_changed();
create trigger issue_server_changed after update of target_server on tb_ops_task
    for each row when (new.target_server is distinct from old.target_server) execute function issue_text_has_changed();

insert into tb_issue_search (sr_id, form)
    select i.sr_id, search_form(concat_ws(E'\n',
        case when starts_with(i.body, i.title) then null else i.title end, i.body,
        (select string_agg(distinct t.target_server, ' ') from tb_ops_task t where t.sr_id = i.sr_id)))
    from tb_sr_request i;
-- Without a list of pending entries, which every search would read from the beginning.
create index ix_tb_issue_search_pairs on tb_issue_search using gin (search_pairs(form)) with (fastupdate = off);

-- Whom comments mention.
create table tb_issue_mention (
    person_id text not null constraint fk_tb_issue_mention_person_id_tb_person references tb_person on delete cascade,
    sr_id bigint not null constraint fk_tb_issue_mention_sr_id_tb_sr_request references tb_sr_request on delete cascade,
    constraint pk_tb_issue_mention primary key (person_id, sr_id)
);
insert into tb_issue_mention (person_id, sr_id)
    select distinct p.person_id, c.sr_id
    from tb_comment c join tb_person p on p.role <> 'customer'
        and (strpos(c.body, '@' || p.person_id) > 0 or strpos(c.body, '@' || p.name) > 0)
    where strpos(c.body, '@') > 0;
create index ix_tb_comment_author on tb_comment (author, sr_id);

-- The order of lists by each of their columns, and the issues with one value of it, newest first.
drop index ix_tb_sr_request_status;
create index ix_tb_sr_request_status on tb_sr_request (status, sr_id);
create index ix_tb_sr_request_updated on tb_sr_request (updated_at, sr_id);
create index ix_tb_sr_request_created on tb_sr_request (created_at, sr_id);
create index ix_tb_sr_request_closed on tb_sr_request (closed_at, sr_id) where closed_at is not null;
create index ix_tb_sr_request_due on tb_sr_request (coalesce(due_on, 'infinity'::date), sr_id);
create index ix_tb_sr_request_priority on tb_sr_request (coalesce(priority, 'P9'), sr_id);
create index ix_tb_sr_request_category on tb_sr_request (coalesce(category, ''), sr_id);
create index ix_tb_sr_request_owner on tb_sr_request (coalesce(assignee_id, ''), sr_id);
create index ix_tb_sr_request_place on tb_sr_request (coalesce(inst_id, ''), sr_id);
create index ix_tb_sr_request_requester on tb_sr_request (requester_id, sr_id) where requester_id is not null;
