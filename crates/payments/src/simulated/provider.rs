//! The provider that takes no money.

use futures_util::{StreamExt, future::BoxFuture, stream};
use kernel::Problem;
use storage::{Db, Scope, Tx};

use super::{
    model::{Simulated, SimulatedState},
    store,
};
use crate::ports::{
    Creditor, Document, Found, PaymentProvider, Position, ProviderDenied, ReturnUrls, Settlement, Standing,
};

/// Plays a provider. What it knows lies in the database, so that all gateways play the same one.
#[derive(Debug, Clone)]
pub struct Simulator {
    /// The database.
    pub db: Db,
}

impl Simulator {
    async fn found(&self, of: &Creditor, id: &str) -> Result<Option<Simulated>, ProviderDenied> {
        let id = id.to_owned();
        self.db.read(&Scope::system(of.tenant), move |tx| store::get(tx, &id)).await.map_err(failed)
    }
}

fn failed(_problem: Problem) -> ProviderDenied {
    // The log has the particulars.
    ProviderDenied::Unknown("simulated-storage".to_owned())
}

fn standing(of: Simulated) -> Found {
    let Simulated { notice_number, amount_cents, state, paid_cents, paid_at, receipt } = of;
    let standing = match state {
        SimulatedState::Valid => Standing::Open,
        SimulatedState::Invalid => Standing::Withdrawn,
        SimulatedState::Paid => {
            Standing::Paid(Settlement { amount_cents: paid_cents.unwrap_or(amount_cents), paid_at, receipt })
        }
    };
    Found { notice_number, amount_cents, standing }
}

impl PaymentProvider for Simulator {
    fn create<'a>(&'a self, of: &'a Creditor, position: &'a Position) -> BoxFuture<'a, Result<(), ProviderDenied>> {
        Box::pin(async move {
            let new = position.clone();
            let make = move |tx: &mut Tx<'_>| {
                let free = store::get(tx, &new.id)?.is_none();
                if free {
                    store::insert(tx, &new)?;
                }
                Ok(free)
            };
            let made = self.db.write(&Scope::system(of.tenant), make).await.map_err(failed)?;
            if made { Ok(()) } else { Err(ProviderDenied::Exists) }
        })
    }

    fn update<'a>(&'a self, of: &'a Creditor, position: &'a Position) -> BoxFuture<'a, Result<(), ProviderDenied>> {
        Box::pin(async move {
            // What it has can be paid from the start, and so is not changed any more.
            let found = self.found(of, &position.id).await?;
            Err(found.map_or(ProviderDenied::Missing, |_| ProviderDenied::Refused("published".to_owned())))
        })
    }

    fn publish<'a>(&'a self, of: &'a Creditor, id: &'a str) -> BoxFuture<'a, Result<(), ProviderDenied>> {
        Box::pin(async move { self.found(of, id).await?.map(drop).ok_or(ProviderDenied::Missing) })
    }

    fn withdraw<'a>(&'a self, of: &'a Creditor, id: &'a str) -> BoxFuture<'a, Result<(), ProviderDenied>> {
        Box::pin(async move {
            match self.found(of, id).await?.map(|found| found.state) {
                None => Err(ProviderDenied::Missing),
                Some(SimulatedState::Paid) => Err(ProviderDenied::Refused("paid".to_owned())),
                Some(_) => {
                    let id = id.to_owned();
                    let work = move |tx: &mut Tx<'_>| store::withdraw(tx, &id);
                    self.db.write(&Scope::system(of.tenant), work).await.map_err(failed)
                }
            }
        })
    }

    fn status<'a>(&'a self, of: &'a Creditor, id: &'a str) -> BoxFuture<'a, Result<Option<Found>, ProviderDenied>> {
        Box::pin(async move { Ok(self.found(of, id).await?.map(standing)) })
    }

    fn cart<'a>(
        &'a self,
        of: &'a Creditor,
        position: &'a Position,
        _: &'a ReturnUrls,
    ) -> BoxFuture<'a, Result<String, ProviderDenied>> {
        Box::pin(async move {
            match self.found(of, &position.id).await?.map(|found| found.state) {
                // It has no page: whoever tries it out says by a simulation what would happen there.
                Some(SimulatedState::Valid) => Ok(format!("https://checkout.invalid/c/{}", position.notice_number)),
                Some(_) => Err(ProviderDenied::Refused("not-payable".to_owned())),
                None => Err(ProviderDenied::Missing),
            }
        })
    }

    fn notice<'a>(
        &'a self,
        of: &'a Creditor,
        position: &'a Position,
    ) -> BoxFuture<'a, Result<Document, ProviderDenied>> {
        Box::pin(async move {
            self.found(of, &position.id).await?.ok_or(ProviderDenied::Missing)?;
            let euro = format!("{},{:02} euro", position.amount_cents / 100, position.amount_cents % 100);
            let lines = ["Avviso di pagamento (prova, non pagabile)", position.notice_number.as_str(), euro.as_str()];
            Ok(document("application/pdf", pdf(&lines)))
        })
    }

    fn receipt<'a>(
        &'a self,
        of: &'a Creditor,
        position: &'a Position,
    ) -> BoxFuture<'a, Result<Document, ProviderDenied>> {
        Box::pin(async move {
            let found = self.found(of, &position.id).await?.ok_or(ProviderDenied::Missing)?;
            let (Some(cents), Some(receipt)) = (found.paid_cents, found.receipt) else {
                return Err(ProviderDenied::Missing);
            };
            let euro = format!("{}.{:02}", cents / 100, cents % 100);
            let xml = format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<receipt><noticeNumber>{}</noticeNumber>\
                 <receiptId>{receipt}</receiptId><paymentAmount>{euro}</paymentAmount></receipt>\n",
                found.notice_number
            );
            Ok(document("application/xml", xml.into_bytes()))
        })
    }
}

fn document(media_type: &str, bytes: Vec<u8>) -> Document {
    Document { media_type: media_type.to_owned(), body: stream::iter([Ok(bytes)]).boxed() }
}

/// A page with these lines, which hold digits and plain letters only.
fn pdf(lines: &[&str]) -> Vec<u8> {
    let text: String =
        lines.iter().map(|line| format!("({}) Tj 0 -24 Td ", line.replace(['(', ')', '\\'], " "))).collect();
    let content = format!("BT /F1 16 Tf 60 780 Td {text}ET");
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>"
            .to_owned(),
        format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
    ];
    let mut file = "%PDF-1.4\n".to_owned();
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for (number, object) in objects.iter().enumerate() {
        table.push_str(&format!("{:010} 00000 n \n", file.len()));
        file.push_str(&format!("{} 0 obj\n{object}\nendobj\n", number + 1));
    }
    let start = file.len();
    file.push_str(&table);
    file.push_str(&format!("trailer\n<< /Size {} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n", objects.len() + 1));
    file.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::pdf;

    #[test]
    fn the_table_of_a_page_points_at_its_objects() {
        let text = String::from_utf8(pdf(&["a (b)", "302000000000000184"])).unwrap();
        let (body, end) = text.split_once("xref\n").unwrap();
        let offsets = end.lines().skip(2).take(5).map(|line| line.get(..10).unwrap().parse::<usize>().unwrap());
        for (number, offset) in offsets.enumerate() {
            assert!(
                body.get(offset..).unwrap().starts_with(&format!("{} 0 obj\n", number + 1)),
                "{number} at {offset}"
            );
        }
    }
}
