-- A person changes the plan of what runs: what does not fit has been undone, and people are asked anew.
insert into tb_lifecycle (before, after) values ('IN_PROGRESS', 'PARSED');
