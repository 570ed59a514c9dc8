-- The server for which an issue was opened, before triage has found the servers of its tasks.
create table tb_issue_system (
    sr_id bigint not null constraint pk_tb_issue_system primary key
        constraint fk_tb_issue_system_sr_id_tb_sr_request references tb_sr_request,
    server_id text not null
);
create index ix_tb_issue_system_server_id on tb_issue_system (server_id, sr_id);
create table tb_reaction (
    reaction_id bigint generated always as identity constraint pk_tb_reaction primary key,
    sr_id bigint not null constraint fk_tb_reaction_sr_id_tb_sr_request references tb_sr_request,
    comment_id bigint constraint fk_tb_reaction_comment_id_tb_comment references tb_comment,
    person_id text not null,
    content text not null constraint ck_tb_reaction_content check (
        content in ('+1', '-1', 'laugh', 'confused', 'heart', 'hooray', 'rocket', 'eyes')),
    created_at timestamptz not null
);
create unique index uq_tb_reaction_one on tb_reaction (sr_id, coalesce(comment_id, 0), person_id, content);
create index ix_tb_reaction_comment_id on tb_reaction (comment_id);
