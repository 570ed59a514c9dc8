alter table tb_outbox add column channel text not null default '';
alter table tb_outbox add column target jsonb not null default '{}';

create table tb_intake_event (
    channel text not null,
    event_id text not null,
    received_at timestamptz not null,
    constraint pk_tb_intake_event primary key (channel, event_id)
);
create index ix_tb_intake_event_received_at on tb_intake_event (received_at);
create index ix_tb_sr_request_thread on tb_sr_request (channel, room, thread) where thread <> '';
