create table tb_issue_view (
    view_id bigint generated always as identity constraint pk_tb_issue_view primary key,
    owner text not null constraint ck_tb_issue_view_owner check (owner ~ '^(person|team):.'),
    name text not null constraint ck_tb_issue_view_name check (name <> ''),
    words text not null,
    columns jsonb not null,
    place bigint not null,
    changed_by text not null,
    changed_at timestamptz not null
);
create unique index uq_tb_issue_view_name on tb_issue_view (owner, name);
create index ix_tb_issue_view_place on tb_issue_view (owner, place, view_id);
create table tb_issue_view_default (
    person_id text not null constraint pk_tb_issue_view_default primary key
        constraint fk_tb_issue_view_default_person_id_tb_person references tb_person,
    view_id bigint not null
        constraint fk_tb_issue_view_default_view_id_tb_issue_view references tb_issue_view on delete cascade
);
create index ix_tb_issue_view_default_view_id on tb_issue_view_default (view_id);
