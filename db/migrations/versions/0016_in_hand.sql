-- Every beat lets go of what it has in hand: that must not read all tasks.

create index ix_tb_ops_task_run_id on tb_ops_task (run_id) where run_id is not null;
