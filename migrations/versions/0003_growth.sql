-- Runs as the owner, with search_path lorewise, queue, public.

-- How common a word is, told from a sixteenth of its postings: a reader of very many chunks must not wait
-- until all of them are counted. Like every index it is used under the policy, so it counts visible ones only.
CREATE INDEX posting_sample ON posting (term, acl_id) WHERE chunk_id % 16 = 0;
