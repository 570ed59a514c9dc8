alter table tb_outbox drop constraint ck_tb_outbox_kind;
alter table tb_outbox add constraint ck_tb_outbox_kind check (kind in ('message', 'alert', 'notice'));
alter table tb_outbox add column notice text not null default '';
alter table tb_outbox add column person_id text;
alter table tb_outbox add column medium text not null default '';
alter table tb_outbox add column cause_id bigint;
alter table tb_outbox add column dispatched_at timestamptz;
-- Alerts of before this revision were sent already: nobody is called for them now.
update tb_outbox set notice = 'alert', dispatched_at = created_at where kind = 'alert';

alter table tb_notice drop constraint ck_tb_notice_kind;
alter table tb_notice alter column sr_id drop not null;
alter table tb_notice alter column approval_id drop not null;
alter table tb_notice add column text text not null default '';
alter table tb_notice add column outbox_id bigint;
alter table tb_notice add column in_room boolean not null default false;
alter table tb_notice add column read_at timestamptz;
alter table tb_notice add column due_at timestamptz;
create unique index uq_tb_notice_outbox_id on tb_notice (outbox_id, person_id);
create index ix_tb_notice_due_at on tb_notice (due_at) where due_at is not null;

create table tb_notice_preference (
    person_id text constraint pk_tb_notice_preference primary key
        constraint fk_tb_notice_preference_person_id_tb_person references tb_person,
    phone text not null default '',
    mail text not null default '',
    media jsonb,
    quiet_from text not null default '',
    quiet_until text not null default '',
    digest_minutes bigint,
    updated_at timestamptz not null
);

create table tb_on_call (
    on_call_id bigint generated always as identity constraint pk_tb_on_call primary key,
    outbox_id bigint not null,
    kind text not null,
    sr_id bigint,
    text text not null,
    state text not null constraint ck_tb_on_call_state
        check (state in ('WAITING', 'ACKNOWLEDGED', 'EXHAUSTED')),
    step bigint not null default 0,
    called jsonb not null default '[]',
    next_at timestamptz,
    created_at timestamptz not null,
    acknowledged_by text,
    acknowledged_at timestamptz
);
create unique index uq_tb_on_call_outbox_id on tb_on_call (outbox_id);
create index ix_tb_on_call_next_at on tb_on_call (next_at) where state = 'WAITING';
