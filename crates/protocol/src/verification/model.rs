//! What looking through the registers comes to.

use jiff::Timestamp;
use kernel::civil;
use serde::Serialize;
use utoipa::ToSchema;

use crate::entries::chain::FaultCode;

/// Something wrong with a register
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ProtocolFault, example = json!({ "sequence": 43, "code": "content" }))]
pub struct FaultView {
    /// At which place of the chain.
    #[schema(minimum = 0)]
    pub sequence: i64,
    /// What.
    pub code: FaultCode,
}

/// A register that was looked through
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = VerifiedRegister, example = json!({
    "aoo_code": "SPORTELLO", "register_code": "RACC", "entries": 42, "year": 2026, "last_number": 42,
    "last_hash": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "sound": true, "faults": []
}))]
pub struct VerifiedRegister {
    /// The organisational area.
    #[schema(max_length = 16)]
    pub aoo_code: String,
    /// The register.
    #[schema(max_length = 16)]
    pub register_code: String,
    /// How many entries there are.
    #[schema(minimum = 0)]
    pub entries: i64,
    /// The year of the last number; 0 where there is none.
    #[schema(minimum = 0, maximum = 9999)]
    pub year: i64,
    /// The last number.
    #[schema(minimum = 0)]
    pub last_number: i64,
    /// The hash of the last entry; empty where there is none. Kept elsewhere, it proves what was there.
    #[schema(max_length = 64)]
    pub last_hash: String,
    /// Whether nothing is wrong.
    pub sound: bool,
    /// What is wrong; at most the first hundred.
    #[schema(max_items = 100)]
    pub faults: Vec<FaultView>,
}

/// What looking through the registers came to
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ProtocolVerification, example = json!({
    "verified_at": "2026-11-29T10:00:00+01:00", "sound": true, "registers": []
}))]
pub struct Verification {
    /// When.
    #[serde(with = "civil::rfc3339")]
    pub verified_at: Timestamp,
    /// Whether nothing is wrong anywhere.
    pub sound: bool,
    /// Each register.
    #[schema(max_items = 1000)]
    pub registers: Vec<VerifiedRegister>,
}
