create table tb_room_choices (
    channel text not null,
    room text not null,
    choices jsonb not null,
    offered_at timestamptz not null,
    constraint pk_tb_room_choices primary key (channel, room)
);
