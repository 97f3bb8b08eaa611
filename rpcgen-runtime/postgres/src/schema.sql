-- Completion records of rpcgen: one row for each call whose answer its caller may still ask for.
-- A row is inserted last in the transaction that has the call's effect, which does not commit without it; it goes, in batches, once the caller
-- has the answer.
-- Never delete a row by hand: its call could then run again.

create table if not exists rpcgen_completions (
    client       bytea    not null,  -- 16 bytes: who called
    incarnation  bigint   not null,  -- in which life of a client without a log on disk; 0 with one. Unsigned, kept as signed
    number       bigint   not null,  -- the how manyth call
    method       integer  not null,  -- which action of the service, in the order of declaration
    digest       bigint   not null,  -- FNV-1a 64 of method and request: the same key with another one is an error
    owner_epoch  bigint   not null,  -- which server wrote it: see rpcgen_owner
    begun_at     timestamptz not null default now(),  -- for people
    is_failure   boolean,            -- true: the answer is the action's typed error. Never null
    answer       bytea,              -- as it travels. Never null
    primary key (client, incarnation, number)  -- finds a record, and what a client has retired: there is no other index
);

-- Who may write completion records: one row. A server that opens the database counts it up; one that finds another number has been
-- taken over, and commits nothing any more.
create table if not exists rpcgen_owner (
    id    integer primary key check (id = 1),
    epoch bigint not null
);

insert into rpcgen_owner (id, epoch) values (1, 0) on conflict do nothing;

-- Below which number each life of a client has had all answers: their rows above are gone, or may go, and what comes again does not run.
-- A row may be deleted when no backup of a server's or client's log is left that is older than retired_at.
create table if not exists rpcgen_retired (
    client      bytea       not null,  -- as above
    incarnation bigint      not null,
    below       bigint      not null,
    retired_at  timestamptz not null default now(),
    primary key (client, incarnation)
) with (fillfactor = 80);  -- one row is written again and again

-- Which mark of which server's log this database was last used with: a log without that mark is older than the database, or a copy.
create table if not exists rpcgen_logs (
    log       bytea       primary key,  -- 16 bytes: the log's ID
    number    bigint      not null,     -- the how manyth mark
    mark      bytea       not null,     -- 16 random bytes, which were put into the log before
    marked_at timestamptz not null default now()  -- for people
);
