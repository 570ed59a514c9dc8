-- What people said among themselves is kept for a time: what has passed is found without reading all.

create index ix_tb_msg_chat_log_talk on tb_msg_chat_log (created_at) where sr_id is null;
