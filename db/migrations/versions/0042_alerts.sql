create table tb_alert (
    alert_id bigint generated always as identity constraint pk_tb_alert primary key,
    source text not null,
    key text not null,
    fold text not null,
    episode text not null,
    state text not null,
    rule text not null,
    severity text not null,
    rank smallint not null,
    worst smallint not null,
    summary text not null,
    host text not null,
    server_id text,
    labels jsonb not null default '{}',
    url text not null,
    count bigint not null,
    episodes bigint not null,
    started_at timestamptz not null,
    first_seen timestamptz not null,
    last_seen timestamptz not null,
    resolved_at timestamptz,
    sr_id bigint constraint fk_tb_alert_sr_id_tb_sr_request references tb_sr_request (sr_id),
    silenced_sr bigint,
    silenced_by bigint,
    opened_at timestamptz,
    unsettled boolean not null,
    constraint uq_tb_alert_source_key unique (source, key),
    constraint ck_tb_alert_state check (state in ('FIRING', 'SILENCED', 'RESOLVED'))
);
create index ix_tb_alert_unsettled on tb_alert (source, rank, alert_id) where unsettled;
create index ix_tb_alert_fold on tb_alert (source, fold, sr_id);
create index ix_tb_alert_sr_id on tb_alert (sr_id, state) where sr_id is not null;
create index ix_tb_alert_state on tb_alert (state, last_seen desc, alert_id desc);
create index ix_tb_alert_opened_at on tb_alert (source, opened_at) where opened_at is not null;

create table tb_alert_delivery (
    delivery_id bigint generated always as identity constraint pk_tb_alert_delivery primary key,
    source text not null,
    digest text not null,
    alerts jsonb not null,
    omitted bigint not null default 0,
    received_at timestamptz not null,
    folded_at timestamptz
);
create index ix_tb_alert_delivery_waiting on tb_alert_delivery (source, delivery_id)
    where folded_at is null;
create index ix_tb_alert_delivery_digest on tb_alert_delivery (source, digest, received_at);
create index ix_tb_alert_delivery_received_at on tb_alert_delivery (received_at);
