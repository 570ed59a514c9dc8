-- Who is behind an account, in the board and in messengers; what was tried at the entrance.

alter table tb_person add column identity text;
create index ix_tb_person_human on tb_person (coalesce(identity, person_id));

create table tb_channel_account (
    channel text not null,
    account text not null,
    person_id text not null constraint fk_tb_channel_account_person_id_tb_person references tb_person,
    linked_by text not null,
    linked_at timestamptz not null,
    constraint pk_tb_channel_account primary key (channel, account)
);
create index ix_tb_channel_account_person_id on tb_channel_account (person_id);

create table tb_link_code (
    person_id text not null constraint pk_tb_link_code primary key
        constraint fk_tb_link_code_person_id_tb_person references tb_person,
    code_hash text not null constraint uq_tb_link_code_code_hash unique,
    expires_at timestamptz not null
);

create table tb_attempt (
    attempt_id bigint generated always as identity constraint pk_tb_attempt primary key,
    key text not null,
    tried_at timestamptz not null
);
create index ix_tb_attempt_key on tb_attempt (key, tried_at);
create index ix_tb_attempt_tried_at on tb_attempt (tried_at);

alter table tb_sr_request add column requester_account text;
create index ix_tb_sr_request_requester_account on tb_sr_request (requester_account)
    where requester_account is not null and requester_id is null;
alter table tb_msg_chat_log add column account text not null default '';
