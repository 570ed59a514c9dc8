-- How to sign in on a server, what it said about itself, and why it may not be used.
alter table tb_server_info
    add login jsonb not null default '{}',
    add facts jsonb not null default '{}',
    add blocked text not null default '';
