-- What a document is about: a passage is found by its words too, and read under it.
ALTER TABLE document ADD COLUMN summary text NOT NULL DEFAULT '';
