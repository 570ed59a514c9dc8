-- Uploaded contents by their digest, the artefacts that name them, and what still needs one.
create table tb_blob (
    sha256 text constraint pk_tb_blob primary key
        constraint ck_tb_blob_sha256 check (sha256 ~ '^[0-9a-f]{64}$'),
    size bigint not null constraint ck_tb_blob_size check (size >= 0),
    created_at timestamptz not null
);
create table tb_artifact (
    artifact_id bigint generated always as identity constraint pk_tb_artifact primary key,
    name text not null,
    version text not null,
    file_name text not null,
    sha256 text not null constraint fk_tb_artifact_sha256_tb_blob references tb_blob (sha256),
    size bigint not null,
    signature text not null,
    signed_by text not null,
    created_by text not null,
    created_at timestamptz not null,
    constraint uq_tb_artifact_name_version unique (name, version)
);
create index ix_tb_artifact_sha256 on tb_artifact (sha256);
create table tb_artifact_hold (
    artifact_id bigint not null constraint fk_tb_artifact_hold_artifact_id_tb_artifact
        references tb_artifact (artifact_id),
    holder text not null,
    constraint pk_tb_artifact_hold primary key (artifact_id, holder)
);
