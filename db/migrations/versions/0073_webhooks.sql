create table tb_webhook (
    hook_id bigint generated always as identity constraint pk_tb_webhook primary key,
    url text not null,
    content_type text not null,
    secret_name text not null,
    events jsonb not null,
    inst_id text,
    server_id text,
    active boolean not null default true,
    failures bigint not null default 0,
    disabled_at timestamptz,
    created_by text not null,
    created_at timestamptz not null,
    updated_at timestamptz not null
);
create table tb_webhook_delivery (
    delivery_id bigint generated always as identity constraint pk_tb_webhook_delivery primary key,
    hook_id bigint not null constraint fk_tb_webhook_delivery_hook_id_tb_webhook references tb_webhook on delete cascade,
    guid text not null,
    event text not null,
    action text,
    sr_id bigint,
    detail jsonb not null default '{}',
    transaction_id bigint,
    redelivery boolean not null default false,
    state text not null constraint ck_tb_webhook_delivery_state check (state in ('PENDING', 'DELIVERED', 'FAILED')),
    attempts bigint not null default 0,
    next_at timestamptz,
    request jsonb not null default '{}',
    response jsonb not null default '{}',
    status_code bigint,
    error text not null default '',
    milliseconds bigint,
    created_at timestamptz not null,
    delivered_at timestamptz
);
create index ix_tb_webhook_delivery_hook_id on tb_webhook_delivery (hook_id, delivery_id);
create index ix_tb_webhook_delivery_created_at on tb_webhook_delivery (created_at);
create index ix_tb_webhook_delivery_due on tb_webhook_delivery (next_at)
    where state = 'PENDING' and next_at is not null;

-- Whatever changes a row, by which use case ever: the delivery is queued in the same transaction.
create function queue_webhooks(p_event text, p_action text, p_issue bigint, p_detail jsonb) returns void
language plpgsql as $$
declare
    place text;
    made record;
begin
    if not exists (select from tb_webhook where active) then
        return;
    end if;
    select inst_id into place from tb_sr_request where sr_id = p_issue;
    for made in
        insert into tb_webhook_delivery (hook_id, guid, event, action, sr_id, detail, transaction_id, state, created_at)
        select w.hook_id, gen_random_uuid()::text, p_event, p_action, p_issue, p_detail,
            pg_current_xact_id()::text::bigint, 'PENDING', clock_timestamp()
        from tb_webhook w
        where w.active and (w.events @> to_jsonb(p_event) or w.events @> '"*"')
            and (w.inst_id is null or p_issue is null or w.inst_id = place)
            and (w.server_id is null or p_issue is null
                or exists (select from tb_ops_task t where t.sr_id = p_issue and t.target_server = w.server_id)
                or exists (select from tb_issue_system s where s.sr_id = p_issue and s.server_id = w.server_id))
        order by w.hook_id
        returning delivery_id, hook_id
    loop
        perform procrastinate_defer_jobs_v1(array[row('default', 'webhook', 0, 'webhook:' || made.hook_id, null,
            jsonb_build_object('delivery_id', made.delivery_id), null)::procrastinate_job_to_defer_v1]);
    end loop;
end $$;

create function issue_is_open(status text) returns boolean language sql immutable parallel safe as $$
    select status not in ('COMPLETED', 'FAILED_ROLLBACK', 'ROLLED_BACK', 'REJECTED', 'ABORTED')
$$;

create function queue_issue_webhooks() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        perform queue_webhooks('issues', 'opened', new.sr_id, '{}');
        return null;
    end if;
    if new.title <> old.title or new.body <> old.body then
        perform queue_webhooks('issues', 'edited', new.sr_id, jsonb_build_object('changes', jsonb_strip_nulls(
            jsonb_build_object(
                'title', case when new.title <> old.title then jsonb_build_object('from', old.title) end,
                'body', case when new.body <> old.body then jsonb_build_object('from', old.body) end))));
    end if;
    if new.assignee_id is distinct from old.assignee_id then
        if old.assignee_id is not null then
            perform queue_webhooks('issues', 'unassigned', new.sr_id, jsonb_build_object('assignee', old.assignee_id));
        end if;
        if new.assignee_id is not null then
            perform queue_webhooks('issues', 'assigned', new.sr_id, jsonb_build_object('assignee', new.assignee_id));
        end if;
    end if;
    if issue_is_open(new.status) <> issue_is_open(old.status) then
        perform queue_webhooks(
            'issues', case when issue_is_open(new.status) then 'reopened' else 'closed' end, new.sr_id, '{}');
    end if;
    return null;
end $$;
create trigger issue_webhooks_added after insert on tb_sr_request
    for each row execute function queue_issue_webhooks();
create trigger issue_webhooks_changed after update of status, assignee_id, title, body on tb_sr_request
    for each row execute function queue_issue_webhooks();

create function queue_comment_webhooks() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        perform queue_webhooks('issue_comment', 'created', new.sr_id, jsonb_build_object('comment', new.comment_id));
    elsif new.deleted_at is not null and old.deleted_at is null then
        perform queue_webhooks('issue_comment', 'deleted', new.sr_id, jsonb_build_object('comment', new.comment_id));
    elsif new.body <> old.body then
        perform queue_webhooks('issue_comment', 'edited', new.sr_id, jsonb_build_object('comment', new.comment_id,
            'changes', jsonb_build_object('body', jsonb_build_object('from', old.body))));
    end if;
    return null;
end $$;
create trigger comment_webhooks after insert or update of body, deleted_at on tb_comment
    for each row execute function queue_comment_webhooks();

create function queue_label_webhooks() returns trigger language plpgsql as $$
declare
    label tb_label;
begin
    if tg_op = 'DELETE' then
        label := old;
    else
        label := new;
    end if;
    perform queue_webhooks('label',
        case tg_op when 'INSERT' then 'created' when 'DELETE' then 'deleted' else 'edited' end, null,
        jsonb_build_object('label', jsonb_build_object('id', label.label_id, 'name', label.name,
            'color', label.color, 'description', label.description)));
    return null;
end $$;
create trigger label_webhooks after insert or update or delete on tb_label
    for each row execute function queue_label_webhooks();

create function queue_labeled_webhooks() returns trigger language plpgsql as $$
declare
    changed tb_issue_label;
    label tb_label;
begin
    if tg_op = 'DELETE' then
        changed := old;
    else
        changed := new;
    end if;
    select * into label from tb_label where label_id = changed.label_id;
    if found then
        perform queue_webhooks('issues', case tg_op when 'DELETE' then 'unlabeled' else 'labeled' end, changed.sr_id,
            jsonb_build_object('label', jsonb_build_object('id', label.label_id, 'name', label.name,
                'color', label.color, 'description', label.description)));
    end if;
    return null;
end $$;
create trigger labeled_webhooks after insert or delete on tb_issue_label
    for each row execute function queue_labeled_webhooks();

create function queue_lock_webhooks() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        perform queue_webhooks('issues', 'unlocked', old.sr_id, '{}');
    else
        perform queue_webhooks('issues', 'locked', new.sr_id, '{}');
    end if;
    return null;
end $$;
create trigger lock_webhooks after insert or delete on tb_issue_lock
    for each row execute function queue_lock_webhooks();
