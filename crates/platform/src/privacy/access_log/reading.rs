//! Reading what tells of special categories of data (GDPR, article 9): whoever is shown it is written down, or is not
//! shown it.

use kernel::Problem;
use storage::{Db, Tx};

use super::{Look, store};
use crate::access::Caller;

/// An answer, and what of it must be written down.
#[derive(Debug)]
pub struct Shown<T> {
    /// What the caller is given.
    pub answer: T,
    /// Which records it shows that may not be read unnoticed.
    pub looks: Vec<Look>,
}

impl<T> Shown<T> {
    /// Another answer that shows the same records.
    pub fn map<U>(self, into: impl FnOnce(T) -> U) -> Shown<U> {
        Shown { answer: into(self.answer), looks: self.looks }
    }

    /// The answer, once it is written down what it shows. Call it last in a transaction: it ends with an entry in the
    /// audit.
    ///
    /// # Errors
    /// When the database fails: then nobody is shown anything.
    pub fn written_down(self, tx: &mut Tx<'_>) -> storage::Result<T> {
        store::record_looks(tx, &self.looks)?;
        Ok(self.answer)
    }
}

/// Reads for a caller, and writes down what they are shown.
///
/// Nearly all answers show nothing special, and cost no more than finding that out. One that does is put aside and read
/// again in a transaction that can write: what is given is what was written down, and neither is without the other.
///
/// # Errors
/// The refusal of `work`, or a problem that says the database is busy or failed.
pub async fn read<T, F>(db: &Db, caller: &Caller, mut work: F) -> Result<T, Problem>
where
    T: Send + 'static,
    F: FnMut(&mut Tx<'_>) -> storage::Result<Shown<T>> + Clone + Send + 'static,
{
    let Shown { answer, looks } = db.read(caller, work.clone()).await?;
    if looks.is_empty() {
        return Ok(answer);
    }
    drop(answer);
    db.write(caller, move |tx| work(tx)?.written_down(tx)).await
}
