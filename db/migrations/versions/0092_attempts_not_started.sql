alter table tb_action_run
    drop constraint ck_tb_action_run_state,
    add constraint ck_tb_action_run_state
        check (state in ('INTENT', 'DONE', 'FAILED', 'UNKNOWN', 'NOT_STARTED'));
