-- Templates of papers: the newest row of an institution and a kind is in force; without one, or with
-- an empty text, the newest one of all institutions (empty inst_id), then the shipped template.
create table tb_paper_template (
    number bigint generated always as identity constraint pk_tb_paper_template primary key,
    inst_id text not null,
    kind text not null,
    text text not null,
    sha256 text not null,
    author text not null,
    reason text not null,
    applied_at timestamptz not null,
    constraint ck_tb_paper_template_kind
        check (kind in ('work_plan', 'work_result', 'incident', 'inspection', 'month'))
);
create index ix_tb_paper_template_place on tb_paper_template (inst_id, kind, number desc);
