-- Devices that have signed in before, and how many requests each sender and room has left.

create table tb_known_device (
    device_hash text constraint pk_tb_known_device primary key,
    person_id text not null
        constraint fk_tb_known_device_person_id_tb_person references tb_person,
    created_at timestamptz not null,
    used_at timestamptz not null
);
create index ix_tb_known_device_person_id on tb_known_device (person_id);

create table tb_intake_rate (
    key text constraint pk_tb_intake_rate primary key,
    level double precision not null,
    counted_at timestamptz not null,
    refused bigint not null default 0
);
create index ix_tb_intake_rate_counted_at on tb_intake_rate (counted_at) where refused = 0;
