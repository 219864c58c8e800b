//! What the work in the background keeps.

use async_trait::async_trait;

use super::SqlStore;
use crate::BillingError;
use crate::store::{MAX_PAGE, UpkeepStore};

#[async_trait]
impl UpkeepStore for SqlStore {
    async fn namespaces(&self, after: &str) -> Result<Vec<String>, BillingError> {
        const LIST: &str =
            "SELECT namespace FROM billing_namespaces WHERE namespace > $1 ORDER BY namespace LIMIT $2";
        let rows = self.read().await?.rows(LIST, vec![after.into(), MAX_PAGE.into()]).await?;
        rows.into_iter().map(|mut row| Ok(row.text()?)).collect()
    }

    async fn cursor(&self, namespace: &str, name: &str) -> Result<i64, BillingError> {
        const FIND: &str = "SELECT position FROM billing_cursors WHERE namespace = $1 AND name = $2";
        let row = self.read().await?.row(FIND, vec![namespace.into(), name.into()]).await?;
        Ok(row.map_or(Ok(0), |mut row| row.number())?)
    }

    async fn move_cursor(&self, namespace: &str, name: &str, position: i64) -> Result<(), BillingError> {
        const MOVE: &str = "INSERT INTO billing_cursors (namespace, name, position) VALUES ($1, $2, $3) \
             ON CONFLICT (namespace, name) DO UPDATE SET position = excluded.position \
             WHERE billing_cursors.position < excluded.position";
        let mut work = self.work(namespace).await?;
        work.run(MOVE, vec![namespace.into(), name.into(), position.into()]).await?;
        Ok(work.commit().await?)
    }

    async fn close(&self) {
        self.database.close().await;
    }
}
