//! The approvals page beside the control plane, over the same desk.

use creto_approvals::ApprovalDesk;
use creto_dashboard::people::PeopleDesk;
use creto_dashboard::{Dashboard, DashboardOptions};

use crate::data_folder::DataFolder;
use crate::{Options, StartError};

/// The page, and where its people are kept.
pub(crate) struct Page {
    dashboard: Dashboard,
    people: PeopleDesk,
}

impl Page {
    /// Starts it where one is asked for. People are kept in PostgreSQL where a URL is given, else in a file of the data folder.
    ///
    /// # Errors
    /// [`StartError`], which says what to do.
    pub(crate) async fn start(
        options: &Options,
        folder: &DataFolder,
        desk: ApprovalDesk,
    ) -> Result<Option<Self>, StartError> {
        let Some(listen) = options.dashboard_listen else { return Ok(None) };
        let people = match options.database_url.as_deref() {
            Some(url) => PeopleDesk::postgres(url).await?,
            None => PeopleDesk::sqlite(&folder.people()).await?,
        };
        let asked = DashboardOptions { listen, url: options.dashboard_url.clone() };
        let dashboard = Dashboard::start(&asked, desk, people.clone()).await?;
        tracing::info!(address = %dashboard.address(), url = dashboard.url(), "the dashboard listens");
        Ok(Some(Self { dashboard, people }))
    }

    /// Where people reach it.
    pub(crate) fn url(&self) -> &str {
        self.dashboard.url()
    }

    /// Stops it and closes the accounts; the desk is the control plane's.
    pub(crate) async fn close(self) {
        self.dashboard.close().await;
        self.people.close().await;
    }
}
