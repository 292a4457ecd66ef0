//! What is hashed of an entry, and whether a register is whole.

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use kernel::civil;
use serde_json::{Value, json};

use super::{
    model::{Entry, Whole},
    rules::Head,
};

/// JSON with the members of every object in order and nothing between the signs (RFC 8785, for the texts, whole
/// numbers and truth values that there are here).
pub fn canonical(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort_unstable();
            let member = |name: &&String| {
                let value = members.get(*name).map(canonical).unwrap_or_default();
                format!("{}:{value}", Value::String((*name).clone()))
            };
            format!("{{{}}}", names.iter().map(member).collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

/// The hash an entry must have: SHA-256 of the hash before it and of everything that was registered, its annulment
/// apart. Whoever has the register can compute it.
pub fn hash(whole: &Whole) -> String {
    let Whole { entry, parties } = whole;
    let told = json!({
        "aoo_code": entry.aoo_code,
        "channel": entry.channel,
        "classification": entry.classification,
        "confidential": entry.confidential,
        "direction": entry.direction,
        "documents": entry.documents.0,
        "id": entry.id,
        "ipa_code": entry.ipa_code,
        "number": entry.number,
        "office_id": entry.office_id,
        "parties": parties,
        "received_on": entry.received_on,
        "recovers_entry_id": entry.recovers_id,
        "register_code": entry.register_code,
        "registered_at": entry.registered_at.as_microsecond(),
        "registered_by": entry.registered_by,
        "sender_reference": entry.sender_reference,
        "seq": entry.seq,
        "source_key": entry.source_key,
        "subject": entry.subject,
        "year": entry.year,
    });
    let text = format!("{}{}", entry.previous_hash, canonical(&told));
    hex::encode(digest(&SHA256, text.as_bytes()))
}

/// The hash the annulment of an entry must have: SHA-256 of the entry's hash and of when, by whom, why and by which act
/// it was annulled. Nothing of one that was not.
pub fn annulment_hash(entry: &Entry) -> Option<String> {
    let Entry { annulled_at, annulled_by, annulment_reason, annulment_act, hash, .. } = entry;
    annulled_at.as_ref()?;
    let told = json!({
        "act": annulment_act,
        "annulled_at": annulled_at.map(Timestamp::as_microsecond),
        "annulled_by": annulled_by,
        "reason": annulment_reason,
    });
    Some(hex::encode(digest(&SHA256, format!("{hash}{}", canonical(&told)).as_bytes())))
}

storage::text_enum! {
    /// What is wrong with a register.
    pub enum FaultCode {
        /// An entry is missing, or one was put in.
        Sequence = "sequence",
        /// A number is missing, or there twice.
        Number = "number",
        /// An entry is older than the one before it, or of another year than its number.
        Time = "time",
        /// An entry does not follow the one before it.
        Link = "link",
        /// An entry is not what was registered.
        Content = "content",
        /// An annulment is not what was written.
        Annulment = "annulment",
        /// The register does not end where it should, or nothing says where it ends.
        End = "end",
    }
}

/// Something wrong with a register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// At which place of the chain.
    pub seq: i64,
    /// What.
    pub code: FaultCode,
}

/// Walks along a register.
#[derive(Debug, Default)]
pub struct Walk {
    last: Option<Entry>,
    /// How many entries there were.
    pub count: i64,
    /// What was found amiss.
    pub faults: Vec<Fault>,
}

/// How many faults of one register are told.
pub const MOST_FAULTS: usize = 100;

impl Walk {
    fn fault(&mut self, seq: i64, code: FaultCode) {
        if self.faults.len() < MOST_FAULTS {
            self.faults.push(Fault { seq, code });
        }
    }

    /// Looks at the next entry.
    pub fn see(&mut self, whole: &Whole) {
        let entry = &whole.entry;
        let seq = entry.seq;
        self.count = self.count.saturating_add(1);
        let (last_seq, number, hash, earliest) = match &self.last {
            Some(last) => {
                let number = if last.year == entry.year { last.number.saturating_add(1) } else { 1 };
                (last.seq, number, last.hash.clone(), Some(last.registered_at))
            }
            None => (0, 1, String::new(), None),
        };
        if seq != last_seq.saturating_add(1) {
            self.fault(seq, FaultCode::Sequence);
        }
        if entry.number != number {
            self.fault(seq, FaultCode::Number);
        }
        let year = i64::from(civil::date_of(entry.registered_at).year());
        if year != entry.year || earliest.is_some_and(|earliest| entry.registered_at < earliest) {
            self.fault(seq, FaultCode::Time);
        }
        if entry.previous_hash != hash {
            self.fault(seq, FaultCode::Link);
        }
        if entry.hash != self::hash(whole) {
            self.fault(seq, FaultCode::Content);
        }
        if entry.annulment_hash != annulment_hash(entry) {
            self.fault(seq, FaultCode::Annulment);
        }
        self.last = Some(entry.clone());
    }

    /// Compares the end with where the register says it stands; its `seq` is the last entry's. A register that has
    /// entries and says nothing has lost its end.
    pub fn end(&mut self, head: Option<&Head>) {
        let Some(head) = head else {
            let seq = self.last.as_ref().map_or(0, |last| last.seq);
            return self.fault(seq, FaultCode::End);
        };
        let end = match &self.last {
            Some(last) => {
                (last.seq, last.hash.as_str(), last.number, last.year)
                    == (head.seq, head.last_hash.as_str(), head.last_number, head.year)
                    && last.registered_at <= head.last_registered_at
            }
            None => head.seq == 0 && head.last_hash.is_empty(),
        };
        if !end {
            self.fault(head.seq, FaultCode::End);
        }
    }
}

#[cfg(test)]
mod tests {
    use kernel::Id;
    use storage::Json;
    use uuid::Uuid;

    use super::*;
    use crate::entries::{Direction, EntryChannel, Party, PartyKind, PartyRole};

    fn register(times: &[&str]) -> Vec<Whole> {
        let mut all: Vec<Whole> = Vec::new();
        for (n, time) in times.iter().enumerate() {
            let seq = i64::try_from(n).unwrap() + 1;
            let last = all.last().map(|last| last.entry.clone());
            let registered_at = time.parse().unwrap();
            let year = i64::from(civil::date_of(registered_at).year());
            let number = last.as_ref().filter(|last| last.year == year).map_or(1, |last| last.number + 1);
            let entry = Entry {
                id: Id::from_uuid(Uuid::from_u128(u128::try_from(n).unwrap())),
                ipa_code: "c_x000".to_owned(),
                aoo_code: "AOO".to_owned(),
                register_code: "RACC".to_owned(),
                year,
                number,
                seq,
                registered_at,
                registered_by: "staff:1".to_owned(),
                direction: Direction::Inbound,
                subject: format!("Oggetto {n}"),
                classification: None,
                office_id: Id::from_uuid(Uuid::nil()),
                channel: EntryChannel::Online,
                sender_reference: None,
                received_on: None,
                confidential: false,
                documents: Json(Vec::new()),
                source_key: None,
                recovers_id: None,
                previous_hash: last.map(|last| last.hash).unwrap_or_default(),
                hash: String::new(),
                annulled_at: None,
                annulled_by: None,
                annulment_reason: None,
                annulment_act: None,
                annulment_hash: None,
            };
            let party = Party {
                role: PartyRole::Sender,
                kind: PartyKind::Person,
                given_name: Some("Anna".to_owned()),
                family_name: Some("Prova".to_owned()),
                denomination: None,
                tax_code: None,
                vat_number: None,
                ipa_code: None,
                email: None,
            };
            let mut whole = Whole { entry, parties: vec![party] };
            whole.entry.hash = hash(&whole);
            all.push(whole);
        }
        all
    }

    fn codes(all: &[Whole], head: &Head) -> Vec<(i64, FaultCode)> {
        let mut walk = Walk::default();
        all.iter().for_each(|whole| walk.see(whole));
        walk.end(Some(head));
        walk.faults.iter().map(|fault| (fault.seq, fault.code)).collect()
    }

    fn head(all: &[Whole]) -> Head {
        let last = &all.last().unwrap().entry;
        Head {
            year: last.year,
            last_number: last.number,
            seq: last.seq,
            last_hash: last.hash.clone(),
            last_registered_at: last.registered_at,
        }
    }

    const TIMES: [&str; 4] =
        ["2026-12-31T10:00:00Z", "2026-12-31T22:59:59Z", "2026-12-31T23:00:00Z", "2027-01-02T10:00:00Z"];

    #[test]
    fn a_register_that_is_whole_has_no_faults() {
        let all = register(&TIMES);
        assert_eq!(all.iter().map(|whole| whole.entry.number).collect::<Vec<_>>(), [1, 2, 1, 2]);
        assert_eq!(codes(&all, &head(&all)), []);
    }

    #[test]
    fn what_was_tampered_with_is_found() {
        let all = register(&TIMES);
        let end = head(&all);
        let mut changed = all.clone();
        changed[1].entry.subject.push('!');
        assert_eq!(codes(&changed, &end), [(2, FaultCode::Content)]);
        let mut renamed = all.clone();
        renamed[1].parties[0].given_name = Some("Ada".to_owned());
        assert_eq!(codes(&renamed, &end), [(2, FaultCode::Content)]);
        let mut missing = all.clone();
        missing.remove(1);
        assert_eq!(codes(&missing, &end), [(3, FaultCode::Sequence), (3, FaultCode::Link)]);
        let cut = &all[..3];
        assert_eq!(codes(cut, &end), [(4, FaultCode::End)]);
        let mut rehashed = all.clone();
        rehashed[1].entry.subject.push('!');
        rehashed[1].entry.hash = hash(&rehashed[1]);
        assert_eq!(codes(&rehashed, &end), [(3, FaultCode::Link)]);
        let mut late = all;
        late[1].entry.registered_at = "2026-12-30T10:00:00Z".parse().unwrap();
        assert_eq!(codes(&late, &end), [(2, FaultCode::Time), (2, FaultCode::Content)]);
    }

    #[test]
    fn an_annulment_is_as_it_was_written() {
        let mut all = register(&TIMES);
        let end = head(&all);
        let entry = &mut all[1].entry;
        entry.annulled_at = Some("2027-01-03T10:00:00Z".parse().unwrap());
        entry.annulled_by = Some("staff:1".to_owned());
        entry.annulment_reason = Some("Errore".to_owned());
        entry.annulment_act = Some("Determinazione n. 3".to_owned());
        assert_eq!(codes(&all, &end), [(2, FaultCode::Annulment)]);
        all[1].entry.annulment_hash = annulment_hash(&all[1].entry);
        assert_eq!(codes(&all, &end), []);
        all[1].entry.annulment_act = Some("Determinazione n. 4".to_owned());
        assert_eq!(codes(&all, &end), [(2, FaultCode::Annulment)]);
        all[1].entry.annulled_at = None;
        assert_eq!(codes(&all, &end), [(2, FaultCode::Annulment)]);
    }

    #[test]
    fn a_register_without_its_end_is_not_whole() {
        let all = register(&TIMES);
        let mut walk = Walk::default();
        all.iter().for_each(|whole| walk.see(whole));
        walk.end(None);
        assert_eq!(walk.faults, [Fault { seq: 4, code: FaultCode::End }]);
    }

    #[test]
    fn members_are_in_order_whatever_order_they_came_in() {
        let value = json!({ "b": [1, { "z": null, "a": "x\"" }], "a": true });
        assert_eq!(canonical(&value), r#"{"a":true,"b":[1,{"a":"x\"","z":null}]}"#);
    }
}
