//! `Enrollment`.

use creto_identity::EnrollmentDesk;
use creto_proto::v1::enrollment_server::Enrollment;
use creto_proto::v1::{CreateEnrollmentTokenRequest, EnrollRequest, EnrollResponse, EnrollmentToken};
use tonic::{Request, Response, Status, async_trait};

use crate::confine::confined;
use crate::status::of_identity;

/// Serves enrolment.
pub(crate) struct Enrolling {
    pub(crate) desk: EnrollmentDesk,
}

#[async_trait]
impl Enrollment for Enrolling {
    async fn create_enrollment_token(
        &self,
        request: Request<CreateEnrollmentTokenRequest>,
    ) -> Result<Response<EnrollmentToken>, Status> {
        let (_, message) = confined(request)?;
        self.desk.create_token(message).await.map(Response::new).map_err(of_identity)
    }

    async fn enroll(&self, request: Request<EnrollRequest>) -> Result<Response<EnrollResponse>, Status> {
        let answer = self.desk.enroll(&request.into_inner()).await.map_err(of_identity)?;
        let (namespace, agent, sidecar) = (&answer.namespace, &answer.agent_name, &answer.sidecar_id);
        tracing::info!(namespace, agent, sidecar, "sidecar enrolled");
        Ok(Response::new(answer))
    }
}
