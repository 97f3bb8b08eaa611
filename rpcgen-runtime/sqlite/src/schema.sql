-- Completion records of rpcgen: one row for each call whose answer its caller may still ask for.
-- Rows come with the transaction that has the call's effect, and go in batches once the caller has the answer.
-- Never delete a row by hand: its call could then run again.

create table if not exists rpcgen_completions (
    client       blob    not null,  -- 16 bytes: who called
    incarnation  integer not null,  -- in which life of a client without a log on disk; 0 with one. Unsigned, kept as signed
    number       integer not null,  -- the how manyth call
    method       integer not null,  -- which action of the service, in the order of declaration
    digest       integer not null,  -- FNV-1a 64 of method and request: the same key with another one is an error
    owner_epoch  integer not null,  -- which server wrote it: see rpcgen_owner
    completed_at integer not null,  -- seconds since 1970, for people
    is_failure   integer not null,  -- 1: the answer is the action's typed error
    answer       blob    not null,  -- as it travels
    primary key (client, incarnation, number)  -- finds a record, and what a client has retired: there is no other index
) strict, without rowid;

-- Who may write completion records: one row. A server that opens the database counts it up; one that finds another number has been
-- taken over, and commits nothing any more.
create table if not exists rpcgen_owner (
    id    integer primary key check (id = 1),
    epoch integer not null
) strict;

insert or ignore into rpcgen_owner (id, epoch) values (1, 0);

-- Below which number each life of a client has had all answers: their rows above are gone, or may go, and what comes again does not run.
-- A row may be deleted when no backup of a server's or client's log is left that is older than retired_at.
create table if not exists rpcgen_retired (
    client      blob    not null,  -- as above
    incarnation integer not null,
    below       integer not null,
    retired_at  integer not null,  -- seconds since 1970
    primary key (client, incarnation)
) strict, without rowid;

-- Which mark of which server's log this database was last used with: a log without that mark is older than the database, or a copy.
create table if not exists rpcgen_logs (
    log       blob    not null primary key,  -- 16 bytes: the log's ID
    number    integer not null,              -- the how manyth mark
    mark      blob    not null,              -- 16 random bytes, which were put into the log before
    marked_at integer not null               -- seconds since 1970, for people
) strict, without rowid;
