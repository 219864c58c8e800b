-- Requests for approval. `facts` never changes; `status` is the newest of `oversight_changes`.
CREATE TABLE oversight_requests (
    id         TEXT   NOT NULL PRIMARY KEY,
    namespace  TEXT   NOT NULL,
    agent      TEXT   NOT NULL,
    digest     TEXT   NOT NULL,
    -- The newest of its state's words, for lists.
    word       TEXT   NOT NULL,
    -- 1 while the same call again belongs to this request.
    live       BIGINT NOT NULL,
    version    BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL,
    -- When time changes something; none when it never does.
    due_ms     BIGINT,
    -- When people's time ends; none when it has.
    until_ms   BIGINT,
    facts      TEXT   NOT NULL,
    -- The context without headers and body, for lists: those may be a megabyte each.
    summary    TEXT   NOT NULL,
    context    TEXT   NOT NULL,
    status     TEXT   NOT NULL
);
-- One request for one call: whoever makes the same call again joins it.
CREATE UNIQUE INDEX oversight_requests_live ON oversight_requests (namespace, agent, digest) WHERE live = 1;
CREATE INDEX oversight_requests_due ON oversight_requests (due_ms) WHERE due_ms IS NOT NULL;
CREATE INDEX oversight_requests_list ON oversight_requests (namespace, word, created_ms, id);
CREATE INDEX oversight_requests_changed ON oversight_requests (namespace, changed_ms);
CREATE INDEX oversight_requests_agent ON oversight_requests (namespace, agent) WHERE until_ms IS NOT NULL;
CREATE INDEX oversight_requests_inbox ON oversight_requests (namespace, until_ms, id) WHERE until_ms IS NOT NULL;

-- Every step a request took: its checkpoints.
CREATE TABLE oversight_changes (
    id      TEXT   NOT NULL REFERENCES oversight_requests (id),
    version BIGINT NOT NULL,
    at_ms   BIGINT NOT NULL,
    -- Who or what caused it, and what it was.
    by_whom TEXT   NOT NULL,
    what    TEXT   NOT NULL,
    word    TEXT   NOT NULL,
    status  TEXT   NOT NULL,
    PRIMARY KEY (id, version)
);
