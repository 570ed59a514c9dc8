-- A stop that was pressed without the database is written later, and never twice.

alter table tb_kill add column order_id text constraint uq_tb_kill_order_id unique;
