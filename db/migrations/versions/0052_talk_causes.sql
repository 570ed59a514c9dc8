alter table tb_msg_chat_log add column cause text not null default '';
alter table tb_msg_chat_log add column server_id text not null default '';
create index ix_tb_msg_chat_log_cause on tb_msg_chat_log (cause, created_at) where cause <> '';
