//! Wallets and their ledger.

use async_trait::async_trait;
use creto_rating::{Credit, Moment, Source, Wallet};

use super::catalogue::known_customer;
use super::moments::Moments as _;
use super::operations::{Counter, next};
use super::{SqlStore, missing, parsed, written};
use crate::BillingError;
use crate::customer::{id_problem, refused};
use crate::store::WalletStore;
use crate::wallet::{
    KeptWallet, LedgerEntry, MAX_LEDGER_PAGE, MAX_OPEN_CREDITS, MAX_WALLETS, Movement, NewCredit, NewWallet,
};
use creto_sql::Row;
use creto_sql::Work;

/// A movement to be booked.
pub(super) struct Entry<'e> {
    pub(super) wallet: &'e str,
    pub(super) credit: &'e str,
    pub(super) movement: Movement,
    pub(super) minor: i64,
    pub(super) invoice: Option<(&'e str, u32)>,
    pub(super) at: Moment,
}

/// Moves credit and books it, in one step: the balance is what the ledger says.
pub(super) async fn enter(
    work: &mut dyn Work,
    namespace: &str,
    entry: Entry<'_>,
) -> Result<i64, BillingError> {
    const MOVE: &str = "UPDATE billing_wallet_credits SET left_minor = left_minor + $4 WHERE namespace = $1 \
         AND wallet = $2 AND id = $3";
    const BOOK: &str = "INSERT INTO billing_wallet_ledger (namespace, sequence, wallet, credit, movement, minor, \
         invoice, line, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let sequence = next(work, namespace, Counter::Entry).await?;
    let (invoice, line) = entry.invoice.unzip();
    let given = vec![namespace.into(), entry.wallet.into(), entry.credit.into(), entry.minor.into()];
    work.run(MOVE, given).await?;
    let row = vec![
        namespace.into(),
        sequence.into(),
        entry.wallet.into(),
        entry.credit.into(),
        entry.movement.name().into(),
        entry.minor.into(),
        invoice.map(str::to_owned).into(),
        line.map(i64::from).into(),
        entry.at.micros().into(),
    ];
    work.run(BOOK, row).await?;
    Ok(sequence)
}

async fn find(work: &mut dyn Work, namespace: &str, id: &str) -> Result<Option<NewWallet>, BillingError> {
    const FIND: &str = "SELECT document FROM billing_wallets WHERE namespace = $1 AND id = $2";
    let row = work.row(FIND, vec![namespace.into(), id.into()]).await?;
    row.map(|mut row| parsed("wallet", &row.text()?)).transpose()
}

fn damaged(cause: &str) -> BillingError {
    BillingError::Damaged { what: "ledger entry", cause: cause.to_owned() }
}

fn credit(mut row: Row) -> Result<Credit, BillingError> {
    let kept: NewCredit = parsed("credit", &row.text()?)?;
    let left = u64::try_from(row.number()?).map_err(|error| damaged(&error.to_string()))?;
    Ok(Credit {
        id: kept.id,
        priority: kept.priority,
        source: kept.source,
        received_at: kept.received_at,
        expires_at: kept.expires_at,
        left,
    })
}

/// The wallets of a customer with the credits that are not spent.
pub(super) async fn of_customer(
    work: &mut dyn Work,
    namespace: &str,
    customer: &str,
) -> Result<Vec<KeptWallet>, BillingError> {
    const LIST: &str =
        "SELECT document FROM billing_wallets WHERE namespace = $1 AND customer = $2 ORDER BY id";
    const CREDITS: &str = "SELECT document, left_minor FROM billing_wallet_credits WHERE namespace = $1 \
         AND wallet = $2 AND left_minor > 0 ORDER BY id";
    let mut wallets = Vec::new();
    for mut row in work.rows(LIST, vec![namespace.into(), customer.into()]).await? {
        let kept: NewWallet = parsed("wallet", &row.text()?)?;
        let credits = work.rows(CREDITS, vec![namespace.into(), kept.id.as_str().into()]).await?;
        let wallet = Wallet {
            id: kept.id,
            priority: kept.priority,
            created_at: kept.created_at,
            currency: kept.currency,
            only: kept.only,
            credits: credits.into_iter().map(credit).collect::<Result<_, _>>()?,
        };
        wallets.push(KeptWallet { customer: kept.customer, wallet });
    }
    Ok(wallets)
}

fn entry(mut row: Row) -> Result<LedgerEntry, BillingError> {
    let (sequence, wallet, credit, movement) = (row.number()?, row.text()?, row.text()?, row.text()?);
    let movement = Movement::named(&movement).ok_or_else(|| damaged(&movement))?;
    let (minor, invoice, line) = (row.number()?, row.optional_text()?, row.optional_number()?);
    let line = line.map(|line| u32::try_from(line).unwrap_or(u32::MAX));
    Ok(LedgerEntry { sequence, wallet, credit, movement, minor, invoice, line, at: row.moment()? })
}

#[async_trait]
impl WalletStore for SqlStore {
    async fn open_wallet(&self, namespace: &str, wallet: &NewWallet) -> Result<(), BillingError> {
        const COUNT: &str = "SELECT COUNT(*) FROM billing_wallets WHERE namespace = $1 AND customer = $2";
        const PUT: &str =
            "INSERT INTO billing_wallets (namespace, id, customer, document) VALUES ($1, $2, $3, $4)";
        refused("wallet", &wallet.id, id_problem(&wallet.id).into_iter().collect())?;
        let mut work = self.work(namespace).await?;
        if let Some(kept) = find(&mut *work, namespace, &wallet.id).await? {
            let same = kept == *wallet;
            return if same {
                Ok(())
            } else {
                Err(BillingError::Exists { what: "wallet", id: wallet.id.clone() })
            };
        }
        let customer = known_customer(&mut *work, namespace, &wallet.customer).await?;
        if customer.currency != wallet.currency {
            return Err(BillingError::Currencies {
                what: format!("wallet `{}`", wallet.id),
                owner: format!("customer `{}`", customer.id),
                found: wallet.currency,
                wanted: customer.currency,
            });
        }
        let count = work.row(COUNT, vec![namespace.into(), customer.id.as_str().into()]).await?;
        let found = usize::try_from(count.map_or(Ok(0), |mut row| row.number())?).unwrap_or(usize::MAX);
        if found >= MAX_WALLETS {
            let what = "wallets of a customer";
            return Err(BillingError::TooMany { what, found: found + 1, most: MAX_WALLETS });
        }
        let document = written("wallet", wallet)?;
        let row = vec![namespace.into(), wallet.id.as_str().into(), customer.id.into(), document.into()];
        work.run(PUT, row).await?;
        Ok(work.commit().await?)
    }

    async fn add_credit(&self, namespace: &str, credit: &NewCredit) -> Result<bool, BillingError> {
        const FIND: &str =
            "SELECT document FROM billing_wallet_credits WHERE namespace = $1 AND wallet = $2 AND id = $3";
        const OPEN: &str = "SELECT COUNT(*) FROM billing_wallet_credits WHERE namespace = $1 AND wallet = $2 \
             AND left_minor > 0";
        const PUT: &str = "INSERT INTO billing_wallet_credits (namespace, wallet, id, received_at, expires_at, minor, \
             left_minor, document) VALUES ($1, $2, $3, $4, $5, $6, 0, $7)";
        let mut problems: Vec<String> = id_problem(&credit.id).into_iter().collect();
        if !(1..=crate::MAX_MINOR).contains(&credit.minor) {
            problems.push(format!("`minor`: {} is not between 1 and {}", credit.minor, crate::MAX_MINOR));
        }
        if credit.expires_at.is_some_and(|end| end <= credit.received_at) {
            problems.push("`expires_at`: not after `received_at`".to_owned());
        }
        refused("credit", &credit.id, problems)?;
        let mut work = self.work(namespace).await?;
        if find(&mut *work, namespace, &credit.wallet).await?.is_none() {
            return Err(missing(namespace, "wallet", &credit.wallet));
        }
        let (wallet, id) = (credit.wallet.as_str(), credit.id.as_str());
        if let Some(mut row) = work.row(FIND, vec![namespace.into(), wallet.into(), id.into()]).await? {
            let kept: NewCredit = parsed("credit", &row.text()?)?;
            let exists = || BillingError::Exists { what: "credit", id: credit.id.clone() };
            return if kept == *credit { Ok(false) } else { Err(exists()) };
        }
        let open = work.row(OPEN, vec![namespace.into(), wallet.into()]).await?;
        let found = usize::try_from(open.map_or(Ok(0), |mut row| row.number())?).unwrap_or(usize::MAX);
        if found >= MAX_OPEN_CREDITS {
            let what = "unspent credits of a wallet";
            return Err(BillingError::TooMany { what, found: found + 1, most: MAX_OPEN_CREDITS });
        }
        let row = vec![
            namespace.into(),
            wallet.into(),
            id.into(),
            credit.received_at.micros().into(),
            credit.expires_at.map(Moment::micros).into(),
            credit.minor.into(),
            written("credit", credit)?.into(),
        ];
        work.run(PUT, row).await?;
        let movement = match credit.source {
            Source::Granted => Movement::Grant,
            Source::Purchased => Movement::TopUp,
        };
        let (minor, at) = (credit.minor, credit.received_at);
        enter(&mut *work, namespace, Entry { wallet, credit: id, movement, minor, invoice: None, at })
            .await?;
        work.commit().await?;
        Ok(true)
    }

    async fn expire_credits(&self, namespace: &str, at: Moment) -> Result<Vec<LedgerEntry>, BillingError> {
        const LIST: &str = "SELECT wallet, id, left_minor FROM billing_wallet_credits WHERE namespace = $1 \
             AND left_minor > 0 AND expires_at <= $2 ORDER BY wallet, id LIMIT $3";
        let mut work = self.work(namespace).await?;
        let mut entries = Vec::new();
        for mut row in
            work.rows(LIST, vec![namespace.into(), at.micros().into(), MAX_LEDGER_PAGE.into()]).await?
        {
            let (wallet, credit, left) = (row.text()?, row.text()?, row.number()?);
            let movement = Movement::Expired;
            let one = Entry { wallet: &wallet, credit: &credit, movement, minor: -left, invoice: None, at };
            let sequence = enter(&mut *work, namespace, one).await?;
            let (invoice, line) = (None, None);
            entries.push(LedgerEntry { sequence, wallet, credit, movement, minor: -left, invoice, line, at });
        }
        work.commit().await?;
        Ok(entries)
    }

    async fn wallets(&self, namespace: &str, customer: &str) -> Result<Vec<KeptWallet>, BillingError> {
        of_customer(&mut *self.read().await?, namespace, customer).await
    }

    async fn ledger(
        &self,
        namespace: &str,
        wallet: &str,
        after: i64,
    ) -> Result<Vec<LedgerEntry>, BillingError> {
        const LIST: &str = "SELECT sequence, wallet, credit, movement, minor, invoice, line, at \
             FROM billing_wallet_ledger WHERE namespace = $1 AND wallet = $2 AND sequence > $3 ORDER BY sequence \
             LIMIT $4";
        let given = vec![namespace.into(), wallet.into(), after.into(), MAX_LEDGER_PAGE.into()];
        self.read().await?.rows(LIST, given).await?.into_iter().map(entry).collect()
    }
}
