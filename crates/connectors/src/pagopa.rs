//! pagoPA: debt positions (GPD, v1), the pay page (Checkout carts), printed notices, receipts.
//!
//! https, or http to this machine for tests. Redirects are not followed: where a cart leads is for the person. An
//! answer that is read ends at 256 KiB, one that is passed through at 20 MiB. Of what pagoPA says when it refuses, only
//! the status is told further: its texts may repeat what was sent.

mod answers;

use std::{io, time::Duration};

use futures_util::{StreamExt, future::BoxFuture, stream};
use payments::ports::{Creditor, Destination, Document, Found, PaymentProvider, Position, ProviderDenied, ReturnUrls};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url, header};
use serde_json::{Value, json};

use self::answers::PositionAnswer;
use crate::outgoing::{self, TimeOuts};

/// The largest answer read, in bytes.
const MAX_BYTES: usize = 256 * 1024;
/// The largest file passed through, in bytes.
const MAX_FILE: usize = 20 * 1024 * 1024;
/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(3);
/// How long the address of a pay page may be.
const LONGEST_ADDRESS: usize = 2000;
/// How many characters of what it is for fit into a printed notice.
const LONGEST_SUBJECT: usize = 90;
/// The form of notices with one sum.
const TEMPLATE: &str = "TemplateSingleInstalment";

/// Where its services are.
#[derive(Debug, Clone, Copy)]
pub struct Addresses<'a> {
    /// Debt positions.
    pub gpd: &'a str,
    /// Receipts.
    pub receipts: &'a str,
    /// The pay page.
    pub checkout: &'a str,
    /// Notices.
    pub notices: &'a str,
}

/// Why pagoPA cannot be spoken with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {reason}")]
pub struct PagoPaError {
    /// The setting of the address.
    pub setting: &'static str,
    /// What is wrong with it.
    pub reason: String,
}

/// A service: its address, and a client that goes nowhere else than it may.
#[derive(Debug)]
struct Service {
    client: Client,
    base: Url,
}

/// Speaks with pagoPA.
#[derive(Debug)]
pub struct PagoPa {
    gpd: Service,
    receipts: Service,
    checkout: Service,
    notices: Service,
}

impl Service {
    fn new(setting: &'static str, base: &str, total: Duration) -> Result<Self, PagoPaError> {
        let wrong = |reason: String| PagoPaError { setting, reason };
        let base = Url::parse(&format!("{}/", base.trim_end_matches('/')));
        let base = base.map_err(|error| wrong(error.to_string()))?;
        let secure = base.scheme() == "https";
        let here = base.scheme() == "http" && crate::jwks::is_loopback(&base);
        if !secure && !here {
            return Err(wrong("the address must be https, or http on this machine".to_owned()));
        }
        let mut builder = outgoing::client(TimeOuts { connect: CONNECT.min(total), total }).https_only(secure);
        if !secure {
            builder = builder.no_proxy().tls_certs_only([]);
        }
        Ok(Self { client: builder.build().map_err(|error| wrong(error.to_string()))?, base })
    }

    fn address(&self, segments: &[&str]) -> Result<Url, ProviderDenied> {
        let mut url = self.base.clone();
        let opaque = |()| ProviderDenied::Refused("address".to_owned());
        url.path_segments_mut().map_err(opaque)?.pop_if_empty().extend(segments);
        Ok(url)
    }

    fn request(&self, method: Method, segments: &[&str], of: &Creditor) -> Result<RequestBuilder, ProviderDenied> {
        self.request_at(method, self.address(segments)?, of)
    }

    fn request_at(&self, method: Method, url: Url, of: &Creditor) -> Result<RequestBuilder, ProviderDenied> {
        let mut key = header::HeaderValue::from_str(&of.key).map_err(|_not_a_header| ProviderDenied::Key(0))?;
        key.set_sensitive(true);
        Ok(self.client.request(method, url).header("Ocp-Apim-Subscription-Key", key))
    }
}

impl PagoPa {
    /// A connector to these services.
    ///
    /// # Errors
    /// For an address that personal data may not go to, or a client that cannot be made.
    pub fn new(at: &Addresses<'_>, time_out: Duration) -> Result<Self, PagoPaError> {
        crate::install_crypto_provider();
        Ok(Self {
            gpd: Service::new("gpd_base_url", at.gpd, time_out)?,
            receipts: Service::new("receipts_base_url", at.receipts, time_out)?,
            checkout: Service::new("checkout_base_url", at.checkout, time_out)?,
            notices: Service::new("notices_base_url", at.notices, time_out)?,
        })
    }

    fn position(&self, method: Method, more: &[&str], of: &Creditor) -> Result<RequestBuilder, ProviderDenied> {
        let segments = [&["organizations", of.tax_code.as_str(), "debtpositions"], more].concat();
        self.gpd.request(method, &segments, of)
    }

    async fn write(request: RequestBuilder) -> Result<(), ProviderDenied> {
        let answer = send(request, Changes::Something).await?;
        match answer.status() {
            StatusCode::OK | StatusCode::CREATED => Ok(()),
            status => Err(refusal(status)),
        }
    }

    async fn found(&self, of: &Creditor, id: &str) -> Result<Option<Found>, ProviderDenied> {
        let mut answer = send(self.position(Method::GET, &[id], of)?, Changes::Nothing).await?;
        match answer.status() {
            StatusCode::OK => {
                let body = outgoing::read(&mut answer, MAX_BYTES).await.map_err(|_unread| temporary("answer"))?;
                let read: PositionAnswer = serde_json::from_slice(&body).map_err(|_no_json| temporary("answer"))?;
                read.found().ok_or_else(|| temporary("answer")).map(Some)
            }
            StatusCode::NOT_FOUND => Ok(None),
            status => Err(refusal(status)),
        }
    }

    async fn open_cart(&self, of: &Creditor, position: &Position, back: &ReturnUrls) -> Result<String, ProviderDenied> {
        let mut cart = json!({
            "paymentNotices": [{
                "noticeNumber": position.notice_number, "fiscalCode": of.tax_code, "amount": position.amount_cents,
                "companyName": of.company_name, "description": position.description,
            }],
            "returnUrls": { "returnOkUrl": back.ok, "returnCancelUrl": back.cancel, "returnErrorUrl": back.error },
            "idCart": position.id, "allCCP": false,
        });
        if let (Some(email), Value::Object(cart)) = (&position.payer.email, &mut cart) {
            cart.insert("emailNotice".to_owned(), email.clone().into());
        }
        let request = self.checkout.request(Method::POST, &["carts"], of)?.json(&cart);
        let answer = send(request, Changes::Something).await?;
        if answer.status() != StatusCode::FOUND {
            return Err(refusal(answer.status()));
        }
        let location = answer.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
        // Whatever it says, people are sent to a page over TLS, or to this machine in tests.
        let safe = |url: &Url| url.scheme() == "https" || crate::jwks::is_loopback(url);
        let address = location.and_then(|text| self.checkout.base.join(text).ok()).filter(safe).map(String::from);
        address.filter(|text| text.len() <= LONGEST_ADDRESS).ok_or_else(|| temporary("location"))
    }

    async fn print(&self, of: &Creditor, position: &Position) -> Result<Document, ProviderDenied> {
        let body = notice(of, position).ok_or_else(|| ProviderDenied::Refused("no-address".to_owned()))?;
        let request = self.notices.request(Method::POST, &["notices", "generate"], of)?;
        passed_on(send(request.json(&body), Changes::Nothing).await?, "application/pdf")
    }

    async fn fetch_receipt(&self, of: &Creditor, position: &Position) -> Result<Document, ProviderDenied> {
        let segments = ["payments", of.tax_code.as_str(), "receipts", position.iuv.as_str()];
        let request = self.receipts.request(Method::GET, &segments, of)?.header(header::ACCEPT, "application/xml");
        passed_on(send(request, Changes::Nothing).await?, "application/xml")
    }
}

/// Whether a call changes something there: then an answer that got lost leaves open whether it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Changes {
    Nothing,
    Something,
}

async fn send(request: RequestBuilder, changes: Changes) -> Result<Response, ProviderDenied> {
    // The address of a position names it: no error of the client is told further.
    let answer = request.send().await.map_err(|error| {
        let reason = if error.is_timeout() { "timeout" } else { "unreachable" };
        if changes == Changes::Something && !error.is_connect() {
            return ProviderDenied::Unknown(reason.to_owned());
        }
        temporary(reason)
    })?;
    let status = answer.status();
    if status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE {
        let retry_after = retry_after(&answer);
        return Err(ProviderDenied::Temporary { reason: format!("status-{}", status.as_u16()), retry_after });
    }
    if status.is_server_error() {
        let reason = format!("status-{}", status.as_u16());
        // It may have failed after having done it.
        return Err(match changes {
            Changes::Something => ProviderDenied::Unknown(reason),
            Changes::Nothing => temporary(&reason),
        });
    }
    Ok(answer)
}

fn temporary(reason: &str) -> ProviderDenied {
    ProviderDenied::Temporary { reason: reason.to_owned(), retry_after: None }
}

fn refusal(status: StatusCode) -> ProviderDenied {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ProviderDenied::Key(status.as_u16()),
        StatusCode::NOT_FOUND => ProviderDenied::Missing,
        StatusCode::CONFLICT => ProviderDenied::Exists,
        other => ProviderDenied::Refused(format!("status-{}", other.as_u16())),
    }
}

/// In seconds; a date is not waited for.
fn retry_after(answer: &Response) -> Option<Duration> {
    let value = answer.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
}

/// The body of an answer as it comes, if it is what was asked for.
fn passed_on(answer: Response, media_type: &'static str) -> Result<Document, ProviderDenied> {
    if answer.status() != StatusCode::OK {
        return Err(refusal(answer.status()));
    }
    let sent = answer.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = sent.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence != media_type
        && essence != "application/octet-stream"
        && !(essence == "text/xml" && media_type == "application/xml")
    {
        return Err(temporary("media-type"));
    }
    let next = |(mut answer, left): (Response, usize)| async move {
        let chunk = answer.chunk().await.map_err(|_broken| io::Error::other("the answer broke off"));
        match chunk {
            Ok(None) => None,
            Ok(Some(chunk)) if chunk.len() <= left => Some((Ok(chunk.to_vec()), (answer, left - chunk.len()))),
            Ok(Some(_)) => Some((Err(io::Error::other("the answer is too long")), (answer, 0))),
            Err(error) => Some((Err(error), (answer, 0))),
        }
    };
    // After an error nothing more is asked for: whoever streams it breaks off.
    Ok(Document { media_type: media_type.to_owned(), body: stream::unfold((answer, MAX_FILE), next).boxed() })
}

/// What GPD is told.
fn body(of: &Creditor, position: &Position) -> Value {
    let due = position.due_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let transfers: Vec<Value> = position.transfers.iter().enumerate().map(|(at, part)| {
        let mut transfer = json!({
            "idTransfer": (at + 1).to_string(), "amount": part.amount_cents, "remittanceInformation": part.description,
            "category": part.taxonomy_code,
        });
        let (name, value) = match &part.destination {
            Destination::Iban(iban) => ("iban", iban.clone().into()),
            Destination::Stamp { document_digest, province } => (
                "stamp",
                json!({ "hashDocument": document_digest, "stampType": "01", "provincialResidence": province }),
            ),
        };
        if let Value::Object(members) = &mut transfer {
            members.insert(name.to_owned(), value);
        }
        transfer
    }).collect();
    let payer = &position.payer;
    json!({
        "iupd": position.id, "type": if payer.is_organisation { "G" } else { "F" }, "fiscalCode": payer.tax_code,
        "fullName": payer.full_name, "companyName": of.company_name, "switchToExpired": true,
        "paymentOption": [{
            "iuv": position.iuv, "nav": position.notice_number, "amount": position.amount_cents,
            "description": position.description, "isPartialPayment": false, "dueDate": due, "transfer": transfers,
        }],
    })
}

/// What the print service is told; nothing where it is not known where whoever pays lives, which it prints.
fn notice(of: &Creditor, position: &Position) -> Option<Value> {
    let (payer, subject) = (&position.payer, position.description.chars().take(LONGEST_SUBJECT));
    let address = payer.address.as_ref()?;
    Some(json!({
        "templateId": TEMPLATE,
        "data": {
            "notice": {
                "subject": subject.collect::<String>(), "paymentAmount": position.amount_cents,
                "dueDate": last_day(position), "code": position.notice_number,
            },
            "creditorInstitution": { "taxCode": of.tax_code },
            "debtor": {
                "fullName": payer.full_name, "taxCode": payer.tax_code, "address": address.street,
                "buildingNumber": address.building_number, "postalCode": address.postal_code,
                "city": address.locality, "province": address.province,
            },
        },
    }))
}

/// The last day on which a position can be paid, in Italy, as it is printed.
fn last_day(position: &Position) -> String {
    let last = position.due_at.saturating_sub(jiff::SignedDuration::from_secs(1)).unwrap_or(position.due_at);
    kernel::civil::date_of(last).strftime("%d/%m/%Y").to_string()
}

impl PaymentProvider for PagoPa {
    fn create<'a>(&'a self, of: &'a Creditor, position: &'a Position) -> BoxFuture<'a, Result<(), ProviderDenied>> {
        Box::pin(async move {
            let mut url = self.gpd.address(&["organizations", &of.tax_code, "debtpositions"])?;
            url.set_query(Some("toPublish=true"));
            Self::write(self.gpd.request_at(Method::POST, url, of)?.json(&body(of, position))).await
        })
    }

    fn update<'a>(&'a self, of: &'a Creditor, position: &'a Position) -> BoxFuture<'a, Result<(), ProviderDenied>> {
        Box::pin(async move {
            Self::write(self.position(Method::PUT, &[&position.id], of)?.json(&body(of, position))).await
        })
    }

    fn publish<'a>(&'a self, of: &'a Creditor, id: &'a str) -> BoxFuture<'a, Result<(), ProviderDenied>> {
        Box::pin(async move { Self::write(self.position(Method::POST, &[id, "publish"], of)?).await })
    }

    fn withdraw<'a>(&'a self, of: &'a Creditor, id: &'a str) -> BoxFuture<'a, Result<(), ProviderDenied>> {
        Box::pin(async move {
            match Self::write(self.position(Method::POST, &[id, "invalidate"], of)?).await {
                // In another state than it would have to be in: paid, or over.
                Err(ProviderDenied::Exists) => Err(ProviderDenied::Refused("status-409".to_owned())),
                other => other,
            }
        })
    }

    fn status<'a>(&'a self, of: &'a Creditor, id: &'a str) -> BoxFuture<'a, Result<Option<Found>, ProviderDenied>> {
        Box::pin(self.found(of, id))
    }

    fn cart<'a>(
        &'a self,
        of: &'a Creditor,
        position: &'a Position,
        back: &'a ReturnUrls,
    ) -> BoxFuture<'a, Result<String, ProviderDenied>> {
        Box::pin(self.open_cart(of, position, back))
    }

    fn notice<'a>(
        &'a self,
        of: &'a Creditor,
        position: &'a Position,
    ) -> BoxFuture<'a, Result<Document, ProviderDenied>> {
        Box::pin(self.print(of, position))
    }

    fn receipt<'a>(
        &'a self,
        of: &'a Creditor,
        position: &'a Position,
    ) -> BoxFuture<'a, Result<Document, ProviderDenied>> {
        Box::pin(self.fetch_receipt(of, position))
    }
}

#[cfg(test)]
mod tests {
    use payments::{debts::address::Address, ports::Payer};

    use super::*;

    fn creditor() -> Creditor {
        Creditor {
            tenant: "01980000-0000-7000-8000-0000000000a0".parse().unwrap(),
            tax_code: "01199250158".to_owned(),
            company_name: "Comune di prova".to_owned(),
            key: "0123456789".to_owned(),
        }
    }

    fn position(address: Option<Address>) -> Position {
        Position {
            id: "a".to_owned(),
            iuv: "02000000000000184".to_owned(),
            notice_number: "302000000000000184".to_owned(),
            amount_cents: 1600,
            description: "è".repeat(140),
            due_at: "2027-01-31T23:00:00Z".parse().unwrap(),
            payer: Payer {
                is_organisation: false,
                tax_code: "PRVNNA80A41Z998F".to_owned(),
                full_name: "Anna Prova".to_owned(),
                email: None,
                address,
            },
            transfers: Vec::new(),
        }
    }

    #[test]
    fn a_notice_says_where_whoever_pays_lives() {
        assert_eq!(notice(&creditor(), &position(None)), None);
        let address = Address {
            street: "Via Roma".to_owned(),
            building_number: "1".to_owned(),
            postal_code: "56043".to_owned(),
            locality: "Bugliano".to_owned(),
            province: "PI".to_owned(),
        };
        let printed = notice(&creditor(), &position(Some(address))).unwrap();
        let (told, debtor) = (&printed["data"]["notice"], &printed["data"]["debtor"]);
        assert_eq!((&told["dueDate"], told["subject"].as_str().unwrap().chars().count()), (&json!("31/01/2027"), 90));
        assert_eq!((&debtor["address"], &debtor["buildingNumber"]), (&json!("Via Roma"), &json!("1")));
        assert_eq!((&debtor["city"], &debtor["postalCode"]), (&json!("Bugliano"), &json!("56043")));
    }
}
