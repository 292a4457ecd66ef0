//! Why a token was not accepted.

/// Why a token was not accepted. Carries nothing of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TokenRefusal {
    /// Longer than [`MAX_TOKEN_BYTES`](super::MAX_TOKEN_BYTES).
    #[error("the token is too long")]
    TooLong,
    /// Not three base64url parts holding JSON objects, or a claim of the wrong type.
    #[error("the token is malformed")]
    Malformed,
    /// Issued by nobody we know.
    #[error("the token's issuer is unknown")]
    UnknownIssuer,
    /// Signed in a way that its issuer does not use, or not signed at all.
    #[error("the token's algorithm is not accepted from its issuer")]
    Algorithm,
    /// A `typ` of something that is no access or identity token, such as a logout token.
    #[error("the token is of another type")]
    TokenType,
    /// A `crit` header: it asks for an extension that is not understood here.
    #[error("the token has a critical extension")]
    CriticalExtension,
    /// The issuer's keys cannot be had at the moment: the token may be good.
    #[error("the issuer's keys are not available")]
    KeysUnavailable,
    /// No key of the issuer has the token's `kid`, or none is of its algorithm.
    #[error("the token's key is unknown")]
    UnknownKey,
    /// Several keys fit and the token does not say which.
    #[error("more than one key fits the token")]
    AmbiguousKey,
    /// The key named by `kid` is made for another algorithm.
    #[error("the token's key is for another algorithm")]
    KeyMismatch,
    /// Not signed by the key.
    #[error("the token's signature is wrong")]
    Signature,
    /// Without an `exp`: good for ever, which nobody's token is.
    #[error("the token has no expiry")]
    NoExpiry,
    /// Past its `exp`.
    #[error("the token has expired")]
    Expired,
    /// Before its `nbf`.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// Meant for another tenant or another system.
    #[error("the token is for another audience")]
    Audience,
    /// Without a `sub`, or with one that is empty or too long.
    #[error("the token names no subject")]
    NoSubject,
    /// A citizen's token whose tax code is none.
    #[error("the token's tax code is malformed")]
    TaxCode,
}

impl TokenRefusal {
    /// A word for the log and for metrics that does not change when the sentence does.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::TooLong => "too-long",
            Self::Malformed => "malformed",
            Self::UnknownIssuer => "unknown-issuer",
            Self::Algorithm => "algorithm",
            Self::TokenType => "token-type",
            Self::CriticalExtension => "critical-extension",
            Self::KeysUnavailable => "keys-unavailable",
            Self::UnknownKey => "unknown-key",
            Self::AmbiguousKey => "ambiguous-key",
            Self::KeyMismatch => "key-mismatch",
            Self::Signature => "signature",
            Self::NoExpiry => "no-expiry",
            Self::Expired => "expired",
            Self::NotYetValid => "not-yet-valid",
            Self::Audience => "audience",
            Self::NoSubject => "no-subject",
            Self::TaxCode => "tax-code",
        }
    }

    /// Whether the same token may be accepted later: the fault is on this side of the network, not in the token.
    pub const fn is_temporary(self) -> bool {
        matches!(self, Self::KeysUnavailable)
    }
}
