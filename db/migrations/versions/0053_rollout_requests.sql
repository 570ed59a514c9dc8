-- What a page asked for when a rollout was planned, and what was found on the servers for it.
alter table tb_rollout drop constraint ck_tb_rollout_state;
alter table tb_rollout add constraint ck_tb_rollout_state
    check (state in ('PLANNING', 'DRAFT', 'PENDING', 'RUNNING', 'PAUSED', 'ROLLING_BACK', 'DONE',
                     'ROLLED_BACK', 'FAILED', 'CANCELLED'));
alter table tb_rollout add column request jsonb not null default '{}';
alter table tb_rollout add column findings jsonb not null default '{}';
