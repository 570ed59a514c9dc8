create table tb_label (
    label_id bigint generated always as identity constraint pk_tb_label primary key,
    name text not null constraint ck_tb_label_name check (name <> ''),
    match_key text not null constraint uq_tb_label_match_key unique,
    color text not null constraint ck_tb_label_color check (color ~ '^[0-9a-f]{6}$'),
    description text not null default '',
    created_by text not null,
    created_at timestamptz not null
);
create table tb_issue_label (
    sr_id bigint not null constraint fk_tb_issue_label_sr_id_tb_sr_request references tb_sr_request,
    label_id bigint not null constraint fk_tb_issue_label_label_id_tb_label references tb_label on delete cascade,
    added_by text not null,
    added_at timestamptz not null,
    constraint pk_tb_issue_label primary key (sr_id, label_id)
);
create index ix_tb_issue_label_label_id on tb_issue_label (label_id, sr_id);
create table tb_earlier_text (
    earlier_id bigint generated always as identity constraint pk_tb_earlier_text primary key,
    sr_id bigint not null constraint fk_tb_earlier_text_sr_id_tb_sr_request references tb_sr_request,
    field text not null constraint ck_tb_earlier_text_field check (field in ('title', 'body', 'comment')),
    comment_id bigint constraint fk_tb_earlier_text_comment_id_tb_comment references tb_comment,
    text text not null,
    edited_by text not null,
    edited_at timestamptz not null,
    constraint ck_tb_earlier_text_comment check ((field = 'comment') = (comment_id is not null))
);
create index ix_tb_earlier_text_sr_id on tb_earlier_text (sr_id, earlier_id);
create index ix_tb_earlier_text_comment_id on tb_earlier_text (comment_id);
create table tb_issue_follower (
    sr_id bigint not null constraint fk_tb_issue_follower_sr_id_tb_sr_request references tb_sr_request,
    person_id text not null constraint fk_tb_issue_follower_person_id_tb_person references tb_person,
    state text not null constraint ck_tb_issue_follower_state check (state in ('FOLLOWING', 'MUTED')),
    since timestamptz not null,
    constraint pk_tb_issue_follower primary key (sr_id, person_id)
);
create index ix_tb_issue_follower_person_id on tb_issue_follower (person_id, sr_id);
create table tb_issue_reference (
    from_id bigint not null constraint fk_tb_issue_reference_from_id_tb_sr_request references tb_sr_request,
    to_id bigint not null constraint fk_tb_issue_reference_to_id_tb_sr_request references tb_sr_request,
    since timestamptz not null,
    constraint pk_tb_issue_reference primary key (from_id, to_id),
    constraint ck_tb_issue_reference_other check (from_id <> to_id)
);
create index ix_tb_issue_reference_to_id on tb_issue_reference (to_id, from_id);
create table tb_issue_lock (
    sr_id bigint not null constraint pk_tb_issue_lock primary key
        constraint fk_tb_issue_lock_sr_id_tb_sr_request references tb_sr_request,
    reason text not null,
    locked_by text not null,
    locked_at timestamptz not null
);
-- Edits of a comment: when it was last changed, and when its author deleted it.
alter table tb_comment add column edited_at timestamptz, add column deleted_at timestamptz;
-- The place of a sub-issue among those of its parent; without one, its number.
alter table tb_sr_request add column sub_order bigint;
