-- One change per server at a time: approved tasks that wait for another task of their server.
create table tb_server_wait (
    task_id bigint constraint pk_tb_server_wait primary key
        constraint fk_tb_server_wait_task_id_tb_ops_task references tb_ops_task,
    server_id text not null,
    holder_id bigint,
    since timestamptz not null,
    overridden_by text,
    reason text not null default ''
);
create index ix_tb_server_wait_server_id on tb_server_wait (server_id, since);
create index ix_tb_server_wait_holder_id on tb_server_wait (holder_id) where holder_id is not null;
