alter table tb_sr_request add column thread text not null default '';
alter table tb_outbox add column thread text not null default '';
alter table tb_outbox add column choices jsonb not null default '[]';
