//! Why the store refused or failed.

/// Why the store refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A row is not as it was read: another worker has it now. Read again.
    #[error("{what} was changed by someone else meanwhile")]
    Conflict {
        /// Which row.
        what: String,
    },
    /// An environment that is not deleted has this slug.
    #[error("the slug `{slug}` is taken")]
    SlugTaken {
        /// The slug.
        slug: String,
    },
    /// The idempotency key was used for another request.
    #[error("the idempotency key was already used for a different request")]
    KeyReused,
    /// The owner would have more environments than they may.
    #[error(
        "`{owner}` has {used} of {limit} environments and asked for {asked} more: delete some, or ask an administrator for \
         a larger quota"
    )]
    OverQuota {
        /// Who.
        owner: String,
        /// Environments that are not deleted.
        used: u64,
        /// How many there may be.
        limit: u32,
        /// How many more were asked for.
        asked: u64,
    },
    /// There is a user of this name.
    #[error("the user `{name}` exists already")]
    UserExists {
        /// The name.
        name: String,
    },
    /// Not a database address this program understands.
    #[error("`{address}` is no database address: use `sqlite://PATH` or `postgres://…`")]
    Address {
        /// The address, without its password.
        address: String,
    },
    /// The database file or server cannot be opened.
    #[error("cannot open the database {address}: {words}")]
    Open {
        /// The address, without its password.
        address: String,
        /// What is wrong and what to do.
        words: String,
    },
    /// The database was written by a newer program.
    #[error("the database has schema version {found}, this program knows up to {known}: use a newer `alfred`")]
    Newer {
        /// The database's schema version.
        found: i64,
        /// The newest that this program knows.
        known: i64,
    },
    /// Another process holds the database.
    #[error("the database is locked by another process: stop it, or wait and try again")]
    Locked,
    /// There is no room to write.
    #[error("the disk of the database is full: free some space and try again")]
    Full,
    /// Records are to be taken in by a database that has some.
    #[error("the database has records already (in `{table}`): records are put back into an empty one only")]
    NotEmpty {
        /// One of the tables that have rows.
        table: &'static str,
    },
    /// What is to be taken in is no export of records, or not a whole one.
    #[error("the exported records cannot be taken in: {words}")]
    BadExport {
        /// What is wrong with it.
        words: String,
    },
    /// Nobody takes an export any more.
    #[error("the export of records was given up by whoever asked for it")]
    ExportUnwanted,
    /// A row that this program cannot understand.
    #[error("damaged row in `{table}`: {words}")]
    Damaged {
        /// The table.
        table: &'static str,
        /// What is wrong with it.
        words: String,
    },
    /// The database failed in another way.
    #[error("the database failed while {doing}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// The driver's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl StoreError {
    /// Whether the store answered and said no: nothing is written, and nothing is wrong with the database.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Conflict { .. }
                | Self::SlugTaken { .. }
                | Self::KeyReused
                | Self::OverQuota { .. }
                | Self::UserExists { .. }
        )
    }
}
