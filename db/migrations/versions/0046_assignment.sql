-- To whom a request was proposed or given, and how they answered.
create table tb_proposal (
    proposal_id bigint generated always as identity constraint pk_tb_proposal primary key,
    sr_id bigint not null constraint fk_tb_proposal_sr_id_tb_sr_request
        references tb_sr_request (sr_id),
    kind text not null constraint ck_tb_proposal_kind check (kind in ('person', 'agent', 'team')),
    candidate_id text not null,
    score bigint,
    reasons jsonb not null default '[]',
    ranking jsonb not null default '[]',
    state text not null constraint ck_tb_proposal_state
        check (state in ('OPEN', 'ACCEPTED', 'DECLINED', 'LAPSED', 'WITHDRAWN', 'DELEGATED',
                         'ASSIGNED', 'REPLACED')),
    proposed_by text not null,
    proposed_at timestamptz not null,
    due_at timestamptz,
    answered_by text,
    answered_at timestamptz,
    reason text not null default ''
);
create index ix_tb_proposal_sr_id on tb_proposal (sr_id, proposal_id desc);
create unique index uq_tb_proposal_open on tb_proposal (sr_id) where state = 'OPEN';
create index ix_tb_proposal_due on tb_proposal (due_at) where state = 'OPEN';
create index ix_tb_proposal_candidate_id on tb_proposal (candidate_id, proposal_id desc)
    where state = 'OPEN';
create index ix_tb_proposal_proposed_at on tb_proposal (proposed_at);

-- Requests that are nobody's yet, each with the person who looks after it.
create table tb_queue_entry (
    entry_id bigint generated always as identity constraint pk_tb_queue_entry primary key,
    sr_id bigint not null constraint fk_tb_queue_entry_sr_id_tb_sr_request
        references tb_sr_request (sr_id),
    owner_id text constraint fk_tb_queue_entry_owner_id_tb_person references tb_person (person_id),
    owner_reason text not null default '',
    team_id text,
    why text not null default '',
    queued_at timestamptz not null,
    left_at timestamptz,
    left_by text
);
create unique index uq_tb_queue_entry_open on tb_queue_entry (sr_id) where left_at is null;
create index ix_tb_queue_entry_open on tb_queue_entry (entry_id desc) where left_at is null;
create index ix_tb_sr_request_unowned on tb_sr_request (sr_id)
    where status = 'MANUAL' and assignee_id is null;

-- Further reports of an incident that another issue repairs.
create table tb_issue_report (
    report_id bigint generated always as identity constraint pk_tb_issue_report primary key,
    sr_id bigint not null constraint fk_tb_issue_report_sr_id_tb_sr_request
        references tb_sr_request (sr_id),
    main_id bigint not null constraint fk_tb_issue_report_main_id_tb_sr_request
        references tb_sr_request (sr_id),
    why text not null default '',
    linked_by text not null,
    linked_at timestamptz not null,
    state text not null constraint ck_tb_issue_report_state
        check (state in ('LINKED', 'UNLINKED', 'ANSWERED', 'RELEASED')),
    ended_by text,
    ended_at timestamptz,
    constraint ck_tb_issue_report_other check (sr_id <> main_id)
);
create unique index uq_tb_issue_report_linked on tb_issue_report (sr_id) where state = 'LINKED';
create index ix_tb_issue_report_main_id on tb_issue_report (main_id, report_id);
create index ix_tb_issue_report_sr_id on tb_issue_report (sr_id, report_id desc);
create index ix_tb_issue_report_open on tb_issue_report (report_id) where state = 'LINKED';

-- The server that a request means, asked of its requester.
create table tb_question (
    question_id bigint generated always as identity constraint pk_tb_question primary key,
    sr_id bigint not null constraint fk_tb_question_sr_id_tb_sr_request
        references tb_sr_request (sr_id),
    task_id bigint not null constraint fk_tb_question_task_id_tb_ops_task
        references tb_ops_task (task_id),
    text text not null,
    choices jsonb not null default '[]',
    round bigint not null default 1,
    state text not null constraint ck_tb_question_state
        check (state in ('OPEN', 'ANSWERED', 'UNANSWERED', 'UNCLEAR', 'WITHDRAWN')),
    channel text not null,
    room text not null default '',
    thread text not null default '',
    account text,
    asked_at timestamptz not null,
    due_at timestamptz not null,
    answer text not null default '',
    answered_by text,
    answered_at timestamptz
);
create unique index uq_tb_question_open on tb_question (sr_id) where state = 'OPEN';
create index ix_tb_question_sr_id on tb_question (sr_id, question_id desc);
create index ix_tb_question_room on tb_question (channel, room, account) where state = 'OPEN';
create index ix_tb_question_due on tb_question (due_at) where state = 'OPEN';
