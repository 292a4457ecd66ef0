//! Audit entries, and how their chain is checked.

use diesel::{Queryable, Selectable};
use jiff::Timestamp;
use kernel::Id;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use storage::{Seal, TenantId};
use uuid::Uuid;

use crate::schema::audit_entries;

/// How many chains a Comune has.
pub const LANES: u8 = 32;

/// The identifier of an entry.
pub type EntryId = Id<Entry>;

/// Something that was changed.
#[derive(Debug)]
pub struct Change<'a, S> {
    /// Dotted, past tense: `appointment.cancelled`.
    pub action: &'a str,
    /// What kind of object: `appointment`.
    pub subject_kind: &'a str,
    /// Which one.
    pub subject: Id<S>,
    /// Its state before; only a digest of it is kept. Absent for what is new.
    pub before: Option<&'a Value>,
    /// Its state after; only a digest of it is kept. Absent for what is gone.
    pub after: Option<&'a Value>,
}

// Derives would ask `S` for the same traits.
impl<S> Clone for Change<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<S> Copy for Change<'_, S> {}

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = audit_entries)]
pub struct Entry {
    /// The Comune.
    pub tenant_id: TenantId,
    /// Its chain.
    pub lane: i64,
    /// Its place in the chain, from 1.
    pub seq: i64,
    /// Identifier.
    pub id: EntryId,
    /// When.
    pub occurred_at: Timestamp,
    /// Who: kind and pseudonymous id.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// To what kind of object.
    pub subject_kind: String,
    /// To which one.
    pub subject_id: Id<Uuid>,
    /// Keyed digest of its state before, hexadecimal.
    pub before: Option<String>,
    /// Keyed digest of its state after, hexadecimal.
    pub after: Option<String>,
    /// The hash before it in its chain; empty for the first.
    pub previous: String,
    /// Its own hash, hexadecimal.
    pub hash: String,
}

impl Entry {
    /// The hash this entry must have.
    pub fn expected_hash(&self, seal: &Seal) -> String {
        let number = |n: i64| n.to_be_bytes();
        let digest = seal.digest(&[
            b"audit-entry",
            self.tenant_id.uuid().as_bytes(),
            &number(self.lane),
            &number(self.seq),
            self.id.uuid().as_bytes(),
            &number(self.occurred_at.as_microsecond()),
            self.actor.as_bytes(),
            self.action.as_bytes(),
            self.subject_kind.as_bytes(),
            self.subject_id.uuid().as_bytes(),
            self.before.as_deref().unwrap_or_default().as_bytes(),
            self.after.as_deref().unwrap_or_default().as_bytes(),
            self.previous.as_bytes(),
        ]);
        hex::encode(digest)
    }
}

/// Where the chains of a Comune ended at some time. Kept elsewhere, it proves later that nothing up to there
/// was taken away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Anchor {
    /// The Comune's slug.
    pub tenant: String,
    /// Its chain.
    pub lane: i64,
    /// The last place in it.
    pub seq: i64,
    /// The hash there, hexadecimal.
    pub hash: String,
}

/// What is wrong with a chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The hash does not fit the entry: it was changed, or made without the secret.
    #[error("lane {lane}, entry {seq}: its hash does not fit what it says")]
    Altered {
        /// The chain.
        lane: i64,
        /// The place in it.
        seq: i64,
    },
    /// An entry is missing before this one, or it was put in.
    #[error("lane {lane}, entry {seq}: it does not follow the one before it")]
    Broken {
        /// The chain.
        lane: i64,
        /// The place in it.
        seq: i64,
    },
    /// The chain's end is not its last entry.
    #[error("lane {lane}: its end, {seq}, is not its last entry")]
    Cut {
        /// The chain.
        lane: i64,
        /// Where it says it ends.
        seq: i64,
    },
    /// An anchor names an entry that is not there any more as it was.
    #[error("lane {lane}: entry {seq} of the anchor is gone or has another hash")]
    Unanchored {
        /// The chain.
        lane: i64,
        /// The place in it.
        seq: i64,
    },
}

/// Walks one chain, entry by entry.
#[derive(Debug)]
pub(super) struct Walk {
    lane: i64,
    seq: i64,
    hash: String,
}

impl Walk {
    pub(super) const fn new(lane: i64) -> Self {
        Self { lane, seq: 0, hash: String::new() }
    }

    /// Checks the next entry, and goes on from it whatever it is, so that one fault is told once.
    pub(super) fn step(&mut self, entry: &Entry, seal: &Seal) -> Option<Fault> {
        let (lane, seq) = (self.lane, entry.seq);
        let follows = seq == self.seq.saturating_add(1) && entry.previous == self.hash;
        let fits = entry.hash == entry.expected_hash(seal);
        self.seq = seq;
        self.hash.clone_from(&entry.hash);
        if !fits {
            return Some(Fault::Altered { lane, seq });
        }
        (!follows).then_some(Fault::Broken { lane, seq })
    }

    pub(super) const fn seq(&self) -> i64 {
        self.seq
    }

    /// Whether the chain ends where its lane says.
    pub(super) fn ends_at(&self, seq: i64, hash: &str) -> Option<Fault> {
        (self.seq != seq || self.hash != hash).then_some(Fault::Cut { lane: self.lane, seq })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(seal: &Seal, length: i64) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::new();
        for seq in 1..=length {
            let mut entry = Entry {
                tenant_id: storage::scope::PLATFORM,
                lane: 0,
                seq,
                id: Id::from_uuid(Uuid::from_u128(u128::from(seq.unsigned_abs()))),
                occurred_at: Timestamp::UNIX_EPOCH,
                actor: "system".to_owned(),
                action: "thing.made".to_owned(),
                subject_kind: "thing".to_owned(),
                subject_id: Id::from_uuid(Uuid::nil()),
                before: None,
                after: Some("aa".to_owned()),
                previous: entries.last().map_or_else(String::new, |last| last.hash.clone()),
                hash: String::new(),
            };
            entry.hash = entry.expected_hash(seal);
            entries.push(entry);
        }
        entries
    }

    fn faults(entries: &[Entry], seal: &Seal) -> Vec<Fault> {
        let mut walk = Walk::new(0);
        entries.iter().filter_map(|entry| walk.step(entry, seal)).collect()
    }

    #[test]
    fn a_chain_tells_what_was_changed_taken_out_or_put_in() {
        let seal = Seal::new(&[7; 32]);
        let sound = chain(&seal, 4);
        assert_eq!(faults(&sound, &seal), []);

        let mut changed = sound.clone();
        changed[1].actor = "staff:somebody".to_owned();
        assert_eq!(faults(&changed, &seal), [Fault::Altered { lane: 0, seq: 2 }]);

        let mut shortened = sound.clone();
        shortened.remove(1);
        assert_eq!(faults(&shortened, &seal), [Fault::Broken { lane: 0, seq: 3 }]);

        // Whoever does not have the key cannot make an entry that fits.
        let mut forged = sound;
        forged[3].hash = forged[3].expected_hash(&Seal::new(&[8; 32]));
        assert_eq!(faults(&forged, &seal), [Fault::Altered { lane: 0, seq: 4 }]);
    }
}
