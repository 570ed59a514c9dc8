create table tb_request_catalogue (
    number bigint generated always as identity constraint pk_tb_request_catalogue primary key,
    text text not null,
    sha256 text not null,
    author text not null,
    applied_at timestamptz not null
);
create table tb_form_request (
    sr_id bigint not null constraint pk_tb_form_request primary key
        constraint fk_tb_form_request_sr_id_tb_sr_request references tb_sr_request (sr_id),
    form_id text not null,
    title text not null,
    revision bigint not null,
    fields jsonb not null,
    checklist jsonb not null
);
