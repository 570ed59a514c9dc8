-- The duty roster: a weekly pattern, and days on which somebody else takes over.
create table tb_duty (
    duty_id text constraint pk_tb_duty primary key,
    field text not null,
    inst_id text constraint fk_tb_duty_inst_id_tb_inst_meta references tb_inst_meta,
    person_id text constraint fk_tb_duty_person_id_tb_person references tb_person,
    team_id text constraint fk_tb_duty_team_id_tb_team references tb_team,
    days jsonb not null default '[]',
    begins text not null,
    ends text not null,
    zone text not null,
    holidays text not null constraint ck_tb_duty_holidays check (holidays in ('as_usual', 'off', 'only')),
    since text not null default '',
    until text not null default '',
    constraint ck_tb_duty_holder check ((person_id is null) <> (team_id is null))
);
create table tb_duty_exception (
    duty_id text not null
        constraint fk_tb_duty_exception_duty_id_tb_duty references tb_duty on delete cascade,
    first_day text not null,
    last_day text not null,
    person_id text constraint fk_tb_duty_exception_person_id_tb_person references tb_person,
    reason text not null default '',
    constraint pk_tb_duty_exception primary key (duty_id, first_day)
);

-- Someone may be away without handing their decisions to anyone.
alter table tb_delegation alter delegate_id drop not null;
alter table tb_delegation add reason text not null default '';
alter table tb_delegation add constraint ck_tb_delegation_delegate check (absent or delegate_id is not null);
