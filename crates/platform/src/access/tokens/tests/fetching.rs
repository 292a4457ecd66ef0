//! Keys kept at an address: when they are fetched, and what holds while they cannot be.

use futures_util::FutureExt;

use super::*;

struct Fetching {
    source: Arc<FakeSource>,
    clock: Arc<TestClock>,
    verifier: Arc<TokenVerifier>,
}

impl Fetching {
    fn from(keys: &[Value]) -> Self {
        let (source, clock) = (FakeSource::answering(keys), Arc::new(TestClock::at(now())));
        let providers = vec![provider(KeyLocation::Url(KEYS_URL.to_owned()))];
        let verifier = Arc::new(TokenVerifier::new(providers, source.clone(), clock.clone()).unwrap());
        Self { source, clock, verifier }
    }

    fn after(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }

    /// The outcome for a token signed now with this key.
    async fn outcome(&self, signer: &Signer) -> Result<(), TokenRefusal> {
        let token = signer.sign(&claims_with("exp", json!(self.clock.now().as_second() + 600)));
        self.verifier.verify(&token, "bugliano").await.map(|_| ())
    }
}

#[tokio::test]
async fn keys_are_fetched_once_and_kept_for_a_quarter_of_an_hour() {
    let signer = Signer::es256("k");
    let at = Fetching::from(&[signer.jwk()]);
    assert_eq!(at.source.calls(), 0, "nothing is fetched before it is needed");
    for _ in 0..3 {
        assert_eq!(at.outcome(&signer).await, Ok(()));
    }
    at.after(15 * 60 - 1);
    assert_eq!(at.outcome(&signer).await, Ok(()));
    assert_eq!(at.source.calls(), 1);
    at.after(1);
    assert_eq!(at.outcome(&signer).await, Ok(()));
    assert_eq!(at.source.calls(), 2);
}

#[tokio::test]
async fn rotation_is_noticed_and_unknown_kids_do_not_hammer() {
    let (old, new) = (Signer::es256("old"), Signer::eddsa("new"));
    let at = Fetching::from(&[old.jwk()]);
    assert_eq!(at.outcome(&old).await, Ok(()));

    at.source.set(Ok(jwks(&[old.jwk(), new.jwk()])));
    at.after(59);
    assert_eq!(at.outcome(&new).await, Err(TokenRefusal::UnknownKey));
    assert_eq!(at.source.calls(), 1, "less than a minute after the last fetch");
    at.after(1);
    assert_eq!(at.outcome(&new).await, Ok(()));
    assert_eq!(at.outcome(&old).await, Ok(()));
    assert_eq!(at.source.calls(), 2);

    at.source.set(Ok(jwks(&[new.jwk()])));
    at.after(60);
    for _ in 0..5 {
        assert_eq!(at.outcome(&Signer::es256("invented")).await, Err(TokenRefusal::UnknownKey));
    }
    assert_eq!(at.source.calls(), 3);
    assert_eq!(at.outcome(&old).await, Err(TokenRefusal::UnknownKey), "withdrawn");
}

#[tokio::test]
async fn tokens_that_need_no_key_fetch_none() {
    let at = Fetching::from(&[]);
    let signer = Signer::es256("k");
    let unsigned = raw(&json!({ "alg": "none" }), &claims(), b"");
    assert_eq!(refusal(&at.verifier, &unsigned).await, TokenRefusal::Algorithm);
    let elsewhere = signer.sign(&claims_with("iss", json!("https://elsewhere.example")));
    assert_eq!(refusal(&at.verifier, &elsewhere).await, TokenRefusal::UnknownIssuer);
    assert_eq!(at.source.calls(), 0);
}

#[tokio::test]
async fn an_old_copy_serves_on_for_a_day_while_the_provider_is_down() {
    let signer = Signer::es256("k");
    let at = Fetching::from(&[signer.jwk()]);
    assert_eq!(at.outcome(&signer).await, Ok(()));

    at.source.set(Err(KeySourceError::TimedOut));
    at.after(20 * 60);
    assert_eq!(at.outcome(&signer).await, Ok(()));
    assert_eq!(at.outcome(&signer).await, Ok(()));
    assert_eq!(at.source.calls(), 2, "a failed attempt counts as one");
    at.source.set(Ok(b"<html>sign in to the network</html>".to_vec()));
    at.after(60);
    assert_eq!(at.outcome(&signer).await, Ok(()), "what is no key set does not replace one");
    assert_eq!(at.source.calls(), 3);

    at.after(24 * 3600);
    let refusal = at.outcome(&signer).await.unwrap_err();
    assert_eq!((refusal, refusal.is_temporary()), (TokenRefusal::KeysUnavailable, true));

    at.source.set(Ok(jwks(&[signer.jwk()])));
    at.after(60);
    assert_eq!(at.outcome(&signer).await, Ok(()));
}

#[tokio::test]
async fn without_any_copy_the_pause_is_short() {
    let signer = Signer::es256("k");
    let at = Fetching::from(&[signer.jwk()]);
    at.source.set(Err(KeySourceError::Status(503)));
    for _ in 0..3 {
        assert_eq!(at.outcome(&signer).await, Err(TokenRefusal::KeysUnavailable));
    }
    assert_eq!(at.source.calls(), 1);
    at.source.set(Ok(jwks(&[signer.jwk()])));
    at.after(5);
    assert_eq!(at.outcome(&signer).await, Ok(()));
}

#[tokio::test]
async fn a_clock_set_back_asks_again() {
    let signer = Signer::es256("k");
    let at = Fetching::from(&[signer.jwk()]);
    assert_eq!(at.outcome(&signer).await, Ok(()));
    at.after(-3600);
    assert_eq!(at.outcome(&signer).await, Ok(()));
    assert_eq!(at.source.calls(), 2);
}

#[tokio::test]
async fn simultaneous_tokens_share_one_fetch() {
    let signer = Signer::es256("k");
    let at = Fetching::from(&[signer.jwk()]);
    at.source.gate.forget_permits(1000);
    let together = join_all((0..50).map(|_| at.outcome(&signer)));
    let release = async {
        tokio::task::yield_now().await;
        at.source.gate.add_permits(1000);
    };
    let (outcomes, ()) = tokio::join!(together, release);
    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!(at.source.calls(), 1);
}

#[tokio::test]
async fn nobody_queues_behind_a_slow_provider_with_an_old_copy() {
    let signer = Signer::es256("k");
    let at = Fetching::from(&[signer.jwk()]);
    assert_eq!(at.outcome(&signer).await, Ok(()));
    at.after(16 * 60);
    at.source.gate.forget_permits(1000);
    let first = at.outcome(&signer);
    let others = async {
        tokio::task::yield_now().await;
        let outcomes = join_all((0..50).map(|_| at.outcome(&signer))).await;
        at.source.gate.add_permits(1);
        outcomes
    };
    let (first, others) = tokio::join!(first, others);
    assert!(first.is_ok() && others.iter().all(Result::is_ok));
    assert_eq!(at.source.calls(), 2);
}

#[tokio::test]
async fn a_caller_that_hangs_up_does_not_waste_the_fetch() {
    let signer = Signer::es256("k");
    let at = Fetching::from(&[signer.jwk()]);
    at.source.gate.forget_permits(1000);
    {
        let mut hung_up = Box::pin(at.outcome(&signer));
        assert!(hung_up.as_mut().now_or_never().is_none());
        tokio::task::yield_now().await;
        assert!(hung_up.as_mut().now_or_never().is_none());
    }
    at.source.gate.add_permits(1);
    assert_eq!(at.outcome(&signer).await, Ok(()));
    assert_eq!(at.source.calls(), 1);
}
