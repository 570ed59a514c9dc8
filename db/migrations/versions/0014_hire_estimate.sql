-- What the expected cost of a hire was reckoned from, and the brain that it was reckoned for.
alter table tb_hire add column estimate jsonb not null default '{}';
