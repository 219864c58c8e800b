//! `OperatorTokens`.

use creto_identity::OperatorDesk;
use creto_proto::v1::operator_tokens_server::OperatorTokens;
use creto_proto::v1::{
    CreateOperatorTokenRequest, OperatorToken, RevokeOperatorTokenRequest, RevokeOperatorTokenResponse,
};
use tonic::{Request, Response, Status, async_trait};

use crate::confine::confined;
use crate::status::of_identity;

/// Serves operator tokens.
pub(crate) struct Operators {
    pub(crate) desk: OperatorDesk,
}

#[async_trait]
impl OperatorTokens for Operators {
    async fn create_operator_token(
        &self,
        request: Request<CreateOperatorTokenRequest>,
    ) -> Result<Response<OperatorToken>, Status> {
        let (_, message) = confined(request)?;
        self.desk.create(message).await.map(Response::new).map_err(of_identity)
    }

    async fn revoke_operator_token(
        &self,
        request: Request<RevokeOperatorTokenRequest>,
    ) -> Result<Response<RevokeOperatorTokenResponse>, Status> {
        let (_, message) = confined(request)?;
        self.desk.revoke(&message.namespace, &message.name).await.map_err(of_identity)?;
        Ok(Response::new(RevokeOperatorTokenResponse {}))
    }
}
