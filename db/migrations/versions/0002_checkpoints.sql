-- What the key's holder has signed about the record. `previous` is unique: two series of checkpoints
-- (two hosts at once, or a forger beside the keeper) cannot both go on from the same one.

create table tb_audit_checkpoint (
    chain text not null,
    size bigint not null constraint ck_tb_audit_checkpoint_size check (size > 0),
    head text not null,
    time timestamptz not null,
    previous text not null,
    key text not null,
    signature text not null,
    constraint pk_tb_audit_checkpoint primary key (chain, size),
    constraint uq_tb_audit_checkpoint_chain_previous unique (chain, previous)
);

create function audit_checkpoint_is_append_only() returns trigger language plpgsql as $$
begin
    raise exception 'tb_audit_checkpoint is append-only' using errcode = 'insufficient_privilege';
end $$;
create trigger append_only before update or delete or truncate on tb_audit_checkpoint
    for each statement execute function audit_checkpoint_is_append_only();

-- The rights of later tables come from 0001's defaults; these go again.
grant select, insert on tb_audit_checkpoint to guardia_app;
revoke update, delete, truncate on tb_audit_checkpoint from guardia_app;
