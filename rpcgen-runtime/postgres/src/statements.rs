//! What the store says to PostgreSQL.
//!
//! Knows: the tables of `schema.sql`, and in which schema they are. Does not know: when it is said.
//!
//! Each table is named with its schema: what a handler does to `search_path`, and a temporary table of the same name, which is found before
//! any other, would put the record of its call where nobody looks for it.

use tokio_postgres::Client;

use crate::Error;

/// The texts, made once.
#[derive(Debug)]
pub(crate) struct Statements {
    /// As PostgreSQL names it in an error.
    pub(crate) schema: String,
    pub(crate) record: String,
    pub(crate) find: String,
    pub(crate) retired: String,
    pub(crate) retire: String,
    pub(crate) known_log: String,
    pub(crate) new_log: String,
    pub(crate) take_log: String,
    pub(crate) owner: String,
    /// What a connection is before it is used, also when the server reads its configuration again. While it holds the lock, nobody has
    /// taken over: who does so ends it first.
    pub(crate) prepare: String,
    pub(crate) next_owner: String,
    pub(crate) end_holders: String,
    pub(crate) is_alone: String,
}

impl Statements {
    /// For the tables that this connection, which is new, finds.
    pub(crate) async fn of(client: &Client) -> Result<Self, Error> {
        let schema = "select nspname, quote_ident(nspname), quote_literal(quote_ident(nspname) || '.rpcgen_owner')
            from pg_namespace where oid = (select relnamespace from pg_class where oid = 'rpcgen_owner'::regclass)";
        let row = client.query_one(schema, &[]).await?;
        Ok(Self::within(row.get(0), row.get(1), row.get(2)))
    }

    /// `quoted`: the schema as it stands before a dot. `owner`: the name of the owner's table, as a literal.
    fn within(schema: String, quoted: &str, owner: &str) -> Self {
        Self {
            schema,
            // Waits for another attempt at the same call, if one is about to commit. It fails if there is a record; and, as the owner must
            // not be null, of an owner that is none any more, and of a call whose client has had the answer.
            // If a rule or a trigger on the table takes the row away, the division fails.
            record: format!(
                "with recorded as (insert into {quoted}.rpcgen_completions
                (client, incarnation, number, method, digest, owner_epoch, is_failure, answer) values ($1, $2, $3, $4, $5,
                (select epoch from {quoted}.rpcgen_owner where epoch = $6 and not exists
                (select 1 from {quoted}.rpcgen_retired where client = $1 and incarnation = $2 and below > $3)), $7, $8)
                returning 1) select 1 / count(*) from recorded"
            ),
            find: format!(
                "select digest, is_failure, answer from {quoted}.rpcgen_completions
                where client = $1 and incarnation = $2 and number = $3"
            ),
            retired: format!("select below from {quoted}.rpcgen_retired where client = $1 and incarnation = $2"),
            // The oldest first, a thousand at most: the lock on the table's pages is short, and so is what a crash undoes. That they were
            // there stays known, by the same statement.
            retire: format!(
                "with retired as (insert into {quoted}.rpcgen_retired as known (client, incarnation, below) values ($1, $2, $3)
                on conflict (client, incarnation) do update set below = greatest(known.below, excluded.below), retired_at = now())
                delete from {quoted}.rpcgen_completions where client = $1 and incarnation = $2 and number < least($3, coalesce(
                (select number from {quoted}.rpcgen_completions where client = $1 and incarnation = $2
                order by number limit 1 offset 1000), $3))"
            ),
            known_log: format!("select number, mark from {quoted}.rpcgen_logs where log = $1"),
            // Of the owner alone.
            new_log: format!(
                "insert into {quoted}.rpcgen_logs (log, number, mark)
                select $1, $2, $3 from {quoted}.rpcgen_owner where epoch = $4 on conflict do nothing"
            ),
            take_log: format!(
                "update {quoted}.rpcgen_logs set number = $2, mark = $3, marked_at = now() where log = $1 and mark = $5
                and exists (select 1 from {quoted}.rpcgen_owner where epoch = $4)"
            ),
            owner: format!("select epoch from {quoted}.rpcgen_owner"),
            prepare: format!(
                "set default_transaction_read_only = on;
                select set_config('synchronous_commit', case current_setting('synchronous_commit') when 'off' then 'on'
                else current_setting('synchronous_commit') end, false);
                select pg_advisory_lock_shared(1919968103, {owner}::regclass::oid::int)"
            ),
            next_owner: format!("update {quoted}.rpcgen_owner set epoch = epoch + 1 returning epoch"),
            end_holders: format!(
                "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted and mode = 'ShareLock'
                and classid = 1919968103 and objid = {owner}::regclass::oid
                and database = (select oid from pg_database where datname = current_database())"
            ),
            is_alone: format!("select pg_try_advisory_lock(1919968103, {owner}::regclass::oid::int)"),
        }
    }
}
