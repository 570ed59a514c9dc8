create table tb_right_request (
    request_id bigint generated always as identity constraint pk_tb_right_request primary key,
    kind text not null,
    person_id text not null
        constraint fk_tb_right_request_person_id_tb_person references tb_person,
    subject text not null,
    wanted jsonb not null,
    reason text not null default '',
    state text not null constraint ck_tb_right_request_state
        check (state in ('WAITING', 'APPROVED', 'DONE', 'REJECTED', 'WITHDRAWN', 'LAPSED')),
    requested_by text not null,
    requested_at timestamptz not null,
    lapses_at timestamptz not null,
    decided_by text,
    decided_at timestamptz,
    note text not null default ''
);
create unique index uq_tb_right_request_open on tb_right_request (kind, person_id, subject)
    where state in ('WAITING', 'APPROVED');
create index ix_tb_right_request_state on tb_right_request (state, request_id desc);

create table tb_right_change (
    change_id bigint generated always as identity constraint pk_tb_right_change primary key,
    person_id text not null,
    kind text not null,
    before text,
    after text,
    made_by text not null,
    decided_by text,
    reason text not null default '',
    request_id bigint,
    made_at timestamptz not null
);
create index ix_tb_right_change_person_id on tb_right_change (person_id, change_id desc);
revoke update, truncate on tb_right_change from guardia_app;
-- What people have at the beginning of the history.
insert into tb_right_change (person_id, kind, after, made_by, made_at)
select person_id, case when active then 'role' else 'closed' end, role, 'system:migration', now()
from tb_person order by person_id;
-- Younger entries than three years are not even deleted by the owner of the rows.
create function keep_right_changes() returns trigger language plpgsql as $$
begin
    if old.made_at > now() - interval '3 years' then
        raise exception 'the history of rights is kept for three years';
    end if;
    return old;
end $$;
create trigger kept before delete on tb_right_change
    for each row execute function keep_right_changes();

create table tb_right_review (
    period text not null,
    person_id text not null
        constraint fk_tb_right_review_person_id_tb_person references tb_person,
    role text not null,
    outcome text not null constraint ck_tb_right_review_outcome
        check (outcome in ('CONFIRMED', 'REVOKED')),
    reviewed_by text not null,
    reviewed_at timestamptz not null,
    note text not null default '',
    constraint pk_tb_right_review primary key (period, person_id)
);
create table tb_right_reminder (
    period text not null,
    stage text not null,
    sent_at timestamptz not null,
    constraint pk_tb_right_reminder primary key (period, stage)
);
