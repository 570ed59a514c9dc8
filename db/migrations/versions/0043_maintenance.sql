create table tb_maintenance (
    window_id bigint generated always as identity constraint pk_tb_maintenance primary key,
    scope text not null,
    begins_at timestamptz not null,
    ends_at timestamptz not null,
    reason text not null,
    declared_by text not null,
    created_at timestamptz not null,
    ended_at timestamptz,
    ended_by text,
    constraint ck_tb_maintenance_order check (begins_at < ends_at)
);
create index ix_tb_maintenance_scope on tb_maintenance (scope, ends_at) where ended_at is null;
