//! The one secret of a deployment, and the pseudonyms made with it.

use std::{fmt, fs, io, path::Path};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    error::Unspecified,
    hmac, rand as csprng,
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use kernel::{Problem, TaxCode};
use storage::{Actor, Seal, TenantId, problems::INTERNAL_ERROR};

/// Bytes of a secret that is made here.
const LENGTH: usize = 32;
/// The fewest bytes a secret may have.
const SHORTEST: usize = 16;

/// What lies outside the database and is needed to make sense of parts of it: without it nobody can
/// try all codici fiscali on a stolen copy. Every gateway of a deployment has the same one.
pub struct DeploymentSecret(hmac::Key);

impl fmt::Debug for DeploymentSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeploymentSecret(***)")
    }
}

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read or made.
    #[error("{0}")]
    File(#[from] io::Error),
    /// The file holds too little.
    #[error("the secret has fewer than {SHORTEST} bytes")]
    Short,
    /// No random bytes could be had.
    #[error("no random bytes could be had")]
    Random,
}

impl DeploymentSecret {
    /// A secret of these bytes.
    ///
    /// # Errors
    /// When they are too few.
    pub fn new(bytes: &[u8]) -> Result<Self, SecretError> {
        if bytes.len() < SHORTEST {
            return Err(SecretError::Short);
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, bytes)))
    }

    /// Reads a file, surrounding whitespace apart.
    ///
    /// # Errors
    /// When it cannot be read or holds too little.
    pub fn read(path: &Path) -> Result<Self, SecretError> {
        Self::new(fs::read(path)?.trim_ascii())
    }

    /// Reads a file, and makes it first if it is missing, readable by its owner only.
    ///
    /// # Errors
    /// When it can be neither read nor made.
    pub fn read_or_make(path: &Path) -> Result<Self, SecretError> {
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(path) {
            Ok(mut file) => {
                let mut bytes = [0; LENGTH];
                csprng::fill(&mut bytes).map_err(|_unspecified| SecretError::Random)?;
                io::Write::write_all(&mut file, STANDARD.encode(bytes).as_bytes())?;
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error.into()),
        }
        Self::read(path)
    }

    /// The key of what the audit proves.
    pub fn seal(&self) -> Seal {
        Seal::new(&self.digest("seal", "audit"))
    }

    /// A digest that only this deployment can make. `purpose` keeps one use apart from another.
    pub fn digest(&self, purpose: &str, message: &str) -> [u8; 32] {
        let tag = hmac::sign(&self.0, format!("{purpose}\n{message}").as_bytes());
        let mut digest = [0; 32];
        digest.copy_from_slice(tag.as_ref());
        digest
    }

    /// Writes a message so that only this deployment can read it (AES-256-GCM), as text that fits into a URL.
    /// `purpose` says what it is for: concealed for one thing, it reveals nothing for another.
    ///
    /// # Errors
    /// `internal-error` when no random bytes can be had.
    pub fn conceal(&self, purpose: &str, message: &[u8]) -> Result<String, Problem> {
        let concealed = || -> Result<String, Unspecified> {
            let mut bytes = message.to_vec();
            let nonce = self.cipher()?.seal_in_place_append_tag(Aad::from(purpose.as_bytes()), &mut bytes)?;
            Ok(URL_SAFE_NO_PAD.encode([&nonce.as_ref()[..], &bytes].concat()))
        };
        concealed().map_err(|Unspecified| Problem::new(&INTERNAL_ERROR))
    }

    /// Reads what was concealed for this purpose; `None` for every other text.
    pub fn reveal(&self, purpose: &str, text: &str) -> Option<Vec<u8>> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, message) = bytes.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut message = message.to_vec();
        let aad = Aad::from(purpose.as_bytes());
        let read = self.cipher().ok()?.open_in_place(nonce, aad, &mut message).ok()?;
        Some(read.to_vec())
    }

    fn cipher(&self) -> Result<RandomizedNonceKey, Unspecified> {
        RandomizedNonceKey::new(&AES_256_GCM, &self.digest("key", "conceal"))
    }
}

/// Stands for a person where a name or a tax code must not: in keys, in the actor of an event, in a log.
///
/// The Comune is part of it, so that two of them cannot compare theirs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pseudonym(String);

impl Pseudonym {
    /// Of whoever has this codice fiscale.
    pub fn of_tax_code(secret: &DeploymentSecret, tenant: TenantId, tax_code: &TaxCode) -> Self {
        Self::of(secret, tenant, "tax_code", tax_code.as_str())
    }

    /// Of whoever reads this mailbox, as somebody whom we know told us.
    pub fn of_email(secret: &DeploymentSecret, tenant: TenantId, email: &str) -> Self {
        Self::of(secret, tenant, "email", &email.to_lowercase())
    }

    /// Of whoever reads this mailbox, as somebody told us who did not say who they are. What they claim
    /// of others must touch nobody else.
    pub fn of_unproved_email(secret: &DeploymentSecret, tenant: TenantId, email: &str) -> Self {
        Self::of(secret, tenant, "unproved-email", &email.to_lowercase())
    }

    fn of(secret: &DeploymentSecret, tenant: TenantId, kind: &str, value: &str) -> Self {
        let digest = secret.digest("pseudonym", &format!("{tenant}\n{kind}\n{value}"));
        Self(hex::encode(digest).chars().take(40).collect())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The person as an actor and as the owner of what is theirs.
    pub fn actor(&self) -> Actor {
        Actor::new("citizen", &self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> DeploymentSecret {
        DeploymentSecret::new(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_pseudonym_depends_on_secret_tenant_person_and_kind() {
        let code = TaxCode::parse("RSSMRA80A01H501U").unwrap();
        let (here, there) = (storage::scope::PLATFORM, kernel::Id::from_uuid(uuid::Uuid::max()));
        let (ours, theirs) = (secret("a secret of this test"), secret("another secret of it"));
        let own = Pseudonym::of_tax_code(&ours, here, &code);
        assert_eq!(own, Pseudonym::of_tax_code(&ours, here, &code));
        assert_ne!(own, Pseudonym::of_tax_code(&ours, there, &code));
        assert_ne!(own, Pseudonym::of_tax_code(&theirs, here, &code));
        assert!(!own.as_str().contains("RSSMRA"));
        let mail = "a@example.org";
        assert_eq!(Pseudonym::of_email(&ours, here, "A@example.org"), Pseudonym::of_email(&ours, here, mail));
        assert_ne!(Pseudonym::of_email(&ours, here, mail), Pseudonym::of_unproved_email(&ours, here, mail));
    }

    #[test]
    fn what_is_concealed_is_read_here_for_its_purpose_and_nowhere_else() {
        let (ours, theirs) = (secret("a secret of this test"), secret("another secret of it"));
        let text = ours.conceal("cursor", b"who comes next").unwrap();
        assert_eq!(ours.reveal("cursor", &text).as_deref(), Some(&b"who comes next"[..]));
        assert_ne!(ours.conceal("cursor", b"who comes next").unwrap(), text, "no two are alike");
        assert_eq!(ours.reveal("key", &text), None);
        assert_eq!(theirs.reveal("cursor", &text), None);
        let mut changed = text.into_bytes();
        changed[20] ^= 1;
        for text in [std::str::from_utf8(&changed).unwrap(), "", "short", "not base64!"] {
            assert_eq!(ours.reveal("cursor", text), None, "{text}");
        }
    }

    #[test]
    fn a_secret_is_made_once_and_only_its_owner_reads_it() {
        let folder = std::env::temp_dir().join(format!("sportello-secret-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("secret.key");
        let first = DeploymentSecret::read_or_make(&path).unwrap().digest("test", "x");
        assert_eq!(DeploymentSecret::read_or_make(&path).unwrap().digest("test", "x"), first);
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions());
            assert_eq!(mode & 0o777, 0o600);
        }
        fs::write(&path, "short").unwrap();
        assert!(matches!(DeploymentSecret::read(&path), Err(SecretError::Short)));
        fs::remove_dir_all(&folder).unwrap();
    }
}
