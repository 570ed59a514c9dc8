alter table tb_document_question add column composing boolean not null default false;
