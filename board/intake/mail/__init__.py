"""E-mail as a channel: a mailbox is read by IMAP, replies leave by SMTP."""
