-- nearest --
-- The approved answer nearest in meaning among those that the acting principals may read.
SELECT id, question, answer, approver, approved_at, sources,
       1 - (vector <=> CAST(:vector AS halfvec)) AS cosine
FROM verified_answer
WHERE embedding_model = :model AND acl_id IN (SELECT readable_acls())
ORDER BY vector <=> CAST(:vector AS halfvec)
LIMIT 5
