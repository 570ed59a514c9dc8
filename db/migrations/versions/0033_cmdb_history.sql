-- Who is responsible is entered, not guessed: for one server here, for whole institutions and groups in tb_owner_scope.
-- Rows that earlier releases invented from people's skills stay, until someone changes them.
alter table tb_system_owner
    add duty text not null default 'primary'
        constraint ck_tb_system_owner_duty check (duty in ('primary', 'deputy'));
alter table tb_server_info add groups jsonb not null default '[]';
create index ix_tb_server_info_groups on tb_server_info using gin (groups);
alter table tb_person add skill_levels jsonb not null default '{}';

create table tb_team (
    team_id text constraint pk_tb_team primary key,
    name text not null,
    inst_id text constraint fk_tb_team_inst_id_tb_inst_meta references tb_inst_meta,
    lead_id text not null default ''
);
create table tb_team_member (
    team_id text not null constraint fk_tb_team_member_team_id_tb_team references tb_team on delete cascade,
    person_id text not null constraint fk_tb_team_member_person_id_tb_person references tb_person,
    constraint pk_tb_team_member primary key (team_id, person_id)
);
create index ix_tb_team_member_person_id on tb_team_member (person_id);

create table tb_owner_scope (
    owner text not null,
    owner_id text constraint fk_tb_owner_scope_owner_id_tb_person references tb_person,
    team_id text constraint fk_tb_owner_scope_team_id_tb_team references tb_team,
    scope text not null constraint ck_tb_owner_scope_scope check (scope in ('server', 'institution', 'group')),
    target text not null,
    skill text not null,
    proficiency bigint not null constraint ck_tb_owner_scope_proficiency check (proficiency between 1 and 5),
    duty text not null default 'primary' constraint ck_tb_owner_scope_duty check (duty in ('primary', 'deputy')),
    constraint pk_tb_owner_scope primary key (owner, scope, target, skill),
    constraint ck_tb_owner_scope_owner check ((owner_id is null) <> (team_id is null))
);
create index ix_tb_owner_scope_target on tb_owner_scope (scope, target);

-- Every change of the CMDB with the values before and after: history, difference and rollback follow from it.
create table tb_cmdb_revision (
    revision bigint generated always as identity constraint pk_tb_cmdb_revision primary key,
    source text not null,
    sha256 text not null,
    changes bigint not null,
    author text not null,
    created_at timestamptz not null,
    back_to bigint
);
create table tb_cmdb_change (
    revision bigint not null
        constraint fk_tb_cmdb_change_revision_tb_cmdb_revision references tb_cmdb_revision,
    kind text not null,
    key text not null,
    before jsonb,
    after jsonb,
    constraint pk_tb_cmdb_change primary key (revision, kind, key)
);
create index ix_tb_cmdb_change_kind_key on tb_cmdb_change (kind, key, revision);

-- The public key that an unconfirmed server offered. It permits nothing until a person confirms it.
create table tb_offered_key (
    server_id text constraint pk_tb_offered_key primary key
        constraint fk_tb_offered_key_server_id_tb_server_info references tb_server_info on delete cascade,
    host_key text not null,
    address text not null,
    seen_at timestamptz not null
);
