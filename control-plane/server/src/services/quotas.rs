//! `QuotaLeases` and `QuotaView`.

use creto_proto::v1::quota_leases_server::QuotaLeases;
use creto_proto::v1::quota_view_server::QuotaView;
use creto_proto::v1::{
    ExchangeLeasesRequest, ExchangeLeasesResponse, ListQuotaEventsRequest, ListQuotaEventsResponse,
    ListQuotasRequest, ListQuotasResponse,
};
use tonic::{Request, Response, Status, async_trait};

use crate::confine::{confined, own};
use crate::quotas::QuotaDesk;
use crate::status::of_quota;

/// Serves quotas: leases to sidecars, accounts to operators.
#[derive(Clone)]
pub(crate) struct Quotas {
    pub(crate) desk: QuotaDesk,
}

#[async_trait]
impl QuotaLeases for Quotas {
    async fn exchange_leases(
        &self,
        request: Request<ExchangeLeasesRequest>,
    ) -> Result<Response<ExchangeLeasesResponse>, Status> {
        let (sidecar, message) = own(request)?;
        self.desk.exchange(&sidecar, message).await.map(Response::new).map_err(of_quota)
    }
}

#[async_trait]
impl QuotaView for Quotas {
    async fn list_quotas(
        &self,
        request: Request<ListQuotasRequest>,
    ) -> Result<Response<ListQuotasResponse>, Status> {
        let (_, message) = confined(request)?;
        self.desk.list(&message).await.map(Response::new).map_err(of_quota)
    }

    async fn list_quota_events(
        &self,
        request: Request<ListQuotaEventsRequest>,
    ) -> Result<Response<ListQuotaEventsResponse>, Status> {
        let (_, message) = confined(request)?;
        self.desk.events(&message).await.map(Response::new).map_err(of_quota)
    }
}
