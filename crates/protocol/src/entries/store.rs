//! Queries over registers and their entries.

use std::collections::HashMap;

use diesel::{
    prelude::*,
    sql_types::{BigInt, Text},
};
use jiff::Timestamp;
use kernel::PageRequest;
use platform::access::policy::Rows;
use storage::{
    MultiBackend, Tx, fixed,
    types::{At, Day, Instant, Key, Uid},
};

use super::{
    model::{Direction, Entry, EntryId, Party, PartyRole, PartyRow, Whole},
    rules::{self, Head, Numbered},
};
use crate::schema::{protocol_entries as e, protocol_parties as p, protocol_registers as r};

/// How many rows are asked for by key in one statement.
const AT_ONCE: usize = 500;

/// A register, by its names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Register {
    /// The organisational area.
    pub aoo_code: String,
    /// The register.
    pub register_code: String,
}

/// Where a register stands, and since when there is one.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Which register.
    pub register: Register,
    /// Where it stands; the sequence is the last entry's.
    pub head: Head,
    /// Since when there is one.
    pub created_at: Timestamp,
}

#[derive(QueryableByName)]
struct Taken {
    #[diesel(sql_type = BigInt)]
    year: i64,
    #[diesel(sql_type = BigInt)]
    last_number: i64,
    #[diesel(sql_type = BigInt)]
    last_seq: i64,
    #[diesel(sql_type = Text)]
    last_hash: String,
    #[diesel(sql_type = Instant)]
    last_registered_at: Timestamp,
}

/// Takes the end of a register until the commit: whoever else wants a number waits, and what is rolled back leaves no
/// gap. Makes the register where it is missing.
///
/// # Errors
/// When the database fails.
pub fn take(tx: &mut Tx<'_>, register: &Register) -> storage::Result<Head> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let taken: Taken = fixed(
        "INSERT INTO protocol_registers (tenant_id, aoo_code, register_code, year, last_number, last_seq, last_hash, \
         last_registered_at, created_at) VALUES (?, ?, ?, 0, 0, 1, '', ?, ?) \
         ON CONFLICT (tenant_id, aoo_code, register_code) DO UPDATE SET last_seq = protocol_registers.last_seq + 1 \
         RETURNING year, last_number, last_seq, last_hash, last_registered_at",
    )
    .bind::<Uid, _>(Key(tenant))
    .bind::<Text, _>(register.aoo_code.clone())
    .bind::<Text, _>(register.register_code.clone())
    .bind::<Instant, _>(At(now))
    .bind::<Instant, _>(At(now))
    .get_result(tx.conn())?;
    let Taken { year, last_number, last_seq, last_hash, last_registered_at } = taken;
    Ok(Head { year, last_number, seq: last_seq, last_hash, last_registered_at })
}

#[derive(QueryableByName)]
struct Held {
    #[diesel(sql_type = Instant)]
    last_registered_at: Timestamp,
}

/// Makes a register where it is missing, and holds it until the commit. Answers the instant before which nothing is
/// written to it any more.
///
/// # Errors
/// When the database fails.
pub fn hold(tx: &mut Tx<'_>, register: &Register) -> storage::Result<Timestamp> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let held: Held = fixed(
        "INSERT INTO protocol_registers (tenant_id, aoo_code, register_code, year, last_number, last_seq, last_hash, \
         last_registered_at, created_at) VALUES (?, ?, ?, 0, 0, 0, '', ?, ?) \
         ON CONFLICT (tenant_id, aoo_code, register_code) DO UPDATE SET last_seq = protocol_registers.last_seq \
         RETURNING last_registered_at",
    )
    .bind::<Uid, _>(Key(tenant))
    .bind::<Text, _>(register.aoo_code.clone())
    .bind::<Text, _>(register.register_code.clone())
    .bind::<Instant, _>(At(now))
    .bind::<Instant, _>(At(now))
    .get_result(tx.conn())?;
    Ok(held.last_registered_at)
}

/// Says where a register stands now.
///
/// # Errors
/// When the database fails.
pub fn advance(tx: &mut Tx<'_>, register: &Register, numbered: Numbered, hash: &str) -> storage::Result<()> {
    let mine = r::table
        .filter(r::tenant_id.eq(Key(tx.tenant())))
        .filter(r::aoo_code.eq(&register.aoo_code))
        .filter(r::register_code.eq(&register.register_code));
    diesel::update(mine)
        .set((
            r::year.eq(numbered.year),
            r::last_number.eq(numbered.number),
            r::last_hash.eq(hash),
            r::last_registered_at.eq(At(numbered.registered_at)),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// Lets nothing be registered before an instant any more.
///
/// # Errors
/// When the database fails.
pub fn close_until(tx: &mut Tx<'_>, register: &Register, until: Timestamp) -> storage::Result<()> {
    let mine = r::table
        .filter(r::tenant_id.eq(Key(tx.tenant())))
        .filter(r::aoo_code.eq(&register.aoo_code))
        .filter(r::register_code.eq(&register.register_code))
        .filter(r::last_registered_at.lt(At(until)));
    diesel::update(mine).set(r::last_registered_at.eq(At(until))).execute(tx.conn())?;
    Ok(())
}

/// Every register of which there is an entry, whether anything says where it stands or not.
///
/// # Errors
/// When the database fails.
pub fn written_to(tx: &mut Tx<'_>) -> storage::Result<Vec<Register>> {
    let rows: Vec<(String, String)> = e::table
        .filter(e::tenant_id.eq(Key(tx.tenant())))
        .select((e::aoo_code, e::register_code))
        .distinct()
        .order((e::aoo_code, e::register_code))
        .load(tx.conn())?;
    Ok(rows.into_iter().map(|(aoo_code, register_code)| Register { aoo_code, register_code }).collect())
}

/// Every register, by its names.
///
/// # Errors
/// When the database fails.
pub fn standings(tx: &mut Tx<'_>) -> storage::Result<Vec<Standing>> {
    type Row = (String, String, i64, i64, i64, String, Timestamp, Timestamp);
    let rows: Vec<Row> = r::table
        .filter(r::tenant_id.eq(Key(tx.tenant())))
        .order((r::aoo_code, r::register_code))
        .select((
            r::aoo_code,
            r::register_code,
            r::year,
            r::last_number,
            r::last_seq,
            r::last_hash,
            r::last_registered_at,
            r::created_at,
        ))
        .load(tx.conn())?;
    let standing = |(aoo_code, register_code, year, last_number, seq, last_hash, last_registered_at, created_at)| {
        let head = Head { year, last_number, seq, last_hash, last_registered_at };
        Standing { register: Register { aoo_code, register_code }, head, created_at }
    };
    Ok(rows.into_iter().map(standing).collect())
}

/// Adds an entry with its parties. `person_keys` has the pseudonym of each party that has one.
///
/// # Errors
/// When the database fails.
pub fn insert(tx: &mut Tx<'_>, whole: &Whole, person_keys: &[Option<String>]) -> storage::Result<()> {
    let (tenant, entry) = (tx.tenant(), &whole.entry);
    diesel::insert_into(e::table)
        .values((
            (
                e::tenant_id.eq(Key(tenant)),
                e::id.eq(Key(entry.id)),
                e::ipa_code.eq(&entry.ipa_code),
                e::aoo_code.eq(&entry.aoo_code),
                e::register_code.eq(&entry.register_code),
                e::year.eq(entry.year),
                e::number.eq(entry.number),
                e::seq.eq(entry.seq),
                e::registered_at.eq(At(entry.registered_at)),
                e::registered_by.eq(&entry.registered_by),
                e::direction.eq(entry.direction),
                e::subject.eq(&entry.subject),
                e::subject_words.eq(rules::folded(&entry.subject)),
            ),
            (
                e::classification.eq(&entry.classification),
                e::office_id.eq(Key(entry.office_id)),
                e::channel.eq(entry.channel),
                e::sender_reference.eq(&entry.sender_reference),
                e::received_on.eq(entry.received_on.map(Day)),
                e::confidential.eq(entry.confidential),
                e::documents.eq(&entry.documents),
                e::source_key.eq(&entry.source_key),
                e::recovers_id.eq(entry.recovers_id.map(Key)),
                e::previous_hash.eq(&entry.previous_hash),
                e::hash.eq(&entry.hash),
            ),
        ))
        .execute(tx.conn())?;
    for (n, party) in whole.parties.iter().enumerate() {
        let place = i64::try_from(n).unwrap_or(i64::MAX);
        diesel::insert_into(p::table)
            .values((
                p::tenant_id.eq(Key(tenant)),
                p::entry_id.eq(Key(entry.id)),
                p::place.eq(place),
                p::role.eq(party.role),
                p::kind.eq(party.kind),
                p::given_name.eq(&party.given_name),
                p::family_name.eq(&party.family_name),
                p::denomination.eq(&party.denomination),
                p::tax_code.eq(party.tax_code.as_ref().map(|code| code.as_str().to_owned())),
                p::vat_number.eq(&party.vat_number),
                p::ipa_code.eq(&party.ipa_code),
                p::email.eq(&party.email),
                p::person_key.eq(person_keys.get(n).cloned().flatten()),
            ))
            .execute(tx.conn())?;
    }
    Ok(())
}

/// Writes the annulment of an entry as it is there; `false` where it was annulled already.
///
/// # Errors
/// When the database fails.
pub fn annul(tx: &mut Tx<'_>, entry: &Entry) -> storage::Result<bool> {
    let standing = e::table
        .filter(e::tenant_id.eq(Key(tx.tenant())))
        .filter(e::id.eq(Key(entry.id)))
        .filter(e::annulled_at.is_null());
    let changed = diesel::update(standing)
        .set((
            e::annulled_at.eq(entry.annulled_at.map(At)),
            e::annulled_by.eq(&entry.annulled_by),
            e::annulment_reason.eq(&entry.annulment_reason),
            e::annulment_act.eq(&entry.annulment_act),
            e::annulment_hash.eq(&entry.annulment_hash),
        ))
        .execute(tx.conn())?;
    Ok(changed == 1)
}

/// An entry.
///
/// # Errors
/// When the database fails.
pub fn get(tx: &mut Tx<'_>, id: EntryId) -> storage::Result<Option<Entry>> {
    let found = e::table.filter(e::tenant_id.eq(Key(tx.tenant()))).filter(e::id.eq(Key(id)));
    Ok(found.select(Entry::as_select()).first(tx.conn()).optional()?)
}

/// The entry that was made for something.
///
/// # Errors
/// When the database fails.
pub fn of_source(tx: &mut Tx<'_>, source_key: &str) -> storage::Result<Option<Entry>> {
    let found = e::table.filter(e::tenant_id.eq(Key(tx.tenant()))).filter(e::source_key.eq(source_key));
    Ok(found.select(Entry::as_select()).first(tx.conn()).optional()?)
}

/// The entry that has the ordinary number of one of an emergency register.
///
/// # Errors
/// When the database fails.
pub fn recovering(tx: &mut Tx<'_>, id: EntryId) -> storage::Result<Option<EntryId>> {
    let found = e::table.filter(e::tenant_id.eq(Key(tx.tenant()))).filter(e::recovers_id.eq(Key(id)));
    Ok(found.select(e::id).first(tx.conn()).optional()?)
}

/// Whether a person sent what was registered.
///
/// # Errors
/// When the database fails.
pub fn is_sender(tx: &mut Tx<'_>, id: EntryId, person_key: &str) -> storage::Result<bool> {
    let mine = p::table
        .filter(p::tenant_id.eq(Key(tx.tenant())))
        .filter(p::entry_id.eq(Key(id)))
        .filter(p::role.eq(PartyRole::Sender))
        .filter(p::person_key.eq(person_key));
    Ok(diesel::select(diesel::dsl::exists(mine)).get_result(tx.conn())?)
}

/// Who sent what was registered and whom it is for.
///
/// # Errors
/// When the database fails.
pub fn parties(tx: &mut Tx<'_>, ids: &[EntryId]) -> storage::Result<HashMap<EntryId, Vec<Party>>> {
    let mut found: HashMap<EntryId, Vec<Party>> = HashMap::new();
    for some in ids.chunks(AT_ONCE) {
        let keys: Vec<_> = some.iter().copied().map(Key).collect();
        let rows: Vec<PartyRow> = p::table
            .filter(p::tenant_id.eq(Key(tx.tenant())))
            .filter(p::entry_id.eq_any(keys))
            .order((p::entry_id, p::place))
            .select(PartyRow::as_select())
            .load(tx.conn())?;
        for row in rows {
            found.entry(row.entry_id).or_default().push(row.into());
        }
    }
    Ok(found)
}

/// Entries by their ids; ids in order give entries in order.
///
/// # Errors
/// When the database fails.
pub fn of_ids(tx: &mut Tx<'_>, ids: &[EntryId]) -> storage::Result<Vec<Entry>> {
    let mut found = Vec::new();
    for some in ids.chunks(AT_ONCE) {
        let keys: Vec<_> = some.iter().copied().map(Key).collect();
        let of = e::table.filter(e::tenant_id.eq(Key(tx.tenant()))).filter(e::id.eq_any(keys));
        found.extend(of.order(e::id).select(Entry::as_select()).load::<Entry>(tx.conn())?);
    }
    Ok(found)
}

/// Entries with their parties.
///
/// # Errors
/// When the database fails.
pub fn whole(tx: &mut Tx<'_>, entries: Vec<Entry>) -> storage::Result<Vec<Whole>> {
    let ids: Vec<EntryId> = entries.iter().map(|entry| entry.id).collect();
    let mut parties = parties(tx, &ids)?;
    Ok(entries
        .into_iter()
        .map(|entry| Whole { parties: parties.remove(&entry.id).unwrap_or_default(), entry })
        .collect())
}

/// Which entries are asked for.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this register.
    pub register_code: Option<String>,
    /// With this number.
    pub number: Option<i64>,
    /// Of this year.
    pub year: Option<i64>,
    /// Registered from this instant on.
    pub from: Option<Timestamp>,
    /// Registered before this instant.
    pub before: Option<Timestamp>,
    /// Going this way.
    pub direction: Option<Direction>,
    /// With each of these words in the subject, folded.
    pub words: Vec<String>,
}

/// A page of the entries a caller may read, the newest first.
///
/// # Errors
/// When the database fails.
pub fn list(tx: &mut Tx<'_>, rows: &Rows, filter: &Filter, page: &PageRequest<EntryId>) -> storage::Result<Vec<Entry>> {
    let mut query = e::table.filter(e::tenant_id.eq(Key(tx.tenant()))).into_boxed::<MultiBackend>();
    match rows {
        Rows::All => {}
        Rows::OfOffices(offices) => {
            query = query.filter(e::office_id.eq_any(offices.iter().copied().map(Key).collect::<Vec<_>>()));
        }
        Rows::OwnedBy(_) | Rows::None => return Ok(Vec::new()),
    }
    if let Some(code) = &filter.register_code {
        query = query.filter(e::register_code.eq(code.clone()));
    }
    if let Some(number) = filter.number {
        query = query.filter(e::number.eq(number));
    }
    if let Some(year) = filter.year {
        query = query.filter(e::year.eq(year));
    }
    if let Some(from) = filter.from {
        query = query.filter(e::registered_at.ge(At(from)));
    }
    if let Some(before) = filter.before {
        query = query.filter(e::registered_at.lt(At(before)));
    }
    if let Some(direction) = filter.direction {
        query = query.filter(e::direction.eq(direction));
    }
    for word in &filter.words {
        // Folded words are letters and digits: there is nothing to escape.
        query = query.filter(e::subject_words.like(format!("%{word}%")));
    }
    if let Some(after) = page.after {
        query = query.filter(e::id.lt(Key(after)));
    }
    Ok(query.order(e::id.desc()).limit(page.fetch()).select(Entry::as_select()).load(tx.conn())?)
}

/// The next entries of a register, in the order of the chain.
///
/// # Errors
/// When the database fails.
pub fn along(tx: &mut Tx<'_>, register: &Register, after: i64, limit: i64) -> storage::Result<Vec<Whole>> {
    let entries: Vec<Entry> = e::table
        .filter(e::tenant_id.eq(Key(tx.tenant())))
        .filter(e::aoo_code.eq(&register.aoo_code))
        .filter(e::register_code.eq(&register.register_code))
        .filter(e::seq.gt(after))
        .order(e::seq)
        .limit(limit)
        .select(Entry::as_select())
        .load(tx.conn())?;
    whole(tx, entries)
}

/// What was registered in a time, in the order of the chain, and what was annulled in it.
///
/// # Errors
/// When the database fails.
pub fn within(
    tx: &mut Tx<'_>,
    register: &Register,
    (from, before): (Timestamp, Timestamp),
) -> storage::Result<(Vec<Whole>, Vec<Entry>)> {
    let registered: Vec<Entry> = e::table
        .filter(e::tenant_id.eq(Key(tx.tenant())))
        .filter(e::aoo_code.eq(&register.aoo_code))
        .filter(e::register_code.eq(&register.register_code))
        .filter(e::registered_at.ge(At(from)))
        .filter(e::registered_at.lt(At(before)))
        .order(e::seq)
        .select(Entry::as_select())
        .load(tx.conn())?;
    let annulled: Vec<Entry> = e::table
        .filter(e::tenant_id.eq(Key(tx.tenant())))
        .filter(e::aoo_code.eq(&register.aoo_code))
        .filter(e::register_code.eq(&register.register_code))
        .filter(e::annulled_at.ge(Some(At(from))))
        .filter(e::annulled_at.lt(Some(At(before))))
        .order(e::seq)
        .select(Entry::as_select())
        .load(tx.conn())?;
    Ok((whole(tx, registered)?, annulled))
}

/// Entries in which a person is named, oldest first.
///
/// # Errors
/// When the database fails.
pub fn naming(tx: &mut Tx<'_>, person_key: &str) -> storage::Result<Vec<Entry>> {
    let mut ids: Vec<EntryId> = p::table
        .filter(p::tenant_id.eq(Key(tx.tenant())))
        .filter(p::person_key.eq(person_key))
        .order(p::entry_id)
        .select(p::entry_id)
        .load(tx.conn())?;
    ids.dedup();
    of_ids(tx, &ids)
}
