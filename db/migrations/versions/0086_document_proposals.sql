-- When a document was proposed from a solved issue for which there was none.
alter table tb_document_gap add column proposed_at timestamptz;
create index ix_tb_document_gap_unproposed on tb_document_gap (sr_id) where proposed_at is null;
