//! The gRPC service of the upstream.

use std::pin::Pin;
use std::time::Duration;

use futures::stream::{self, Stream, StreamExt};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tonic::codegen::Service;
use tonic::{Code, Request, Response, Status, Streaming};

use super::stream_body::Body;
use crate::echo::echo_server::{Echo, EchoServer};
use crate::echo::{EchoRequest, EchoResponse};

type Answers = Pin<Box<dyn Stream<Item = Result<EchoResponse, Status>> + Send>>;

/// Largest message, to test that large ones pass.
const MAX_MESSAGE: usize = 64 * 1024 * 1024;

pub(super) async fn answer(request: http::Request<Incoming>) -> http::Response<Body> {
    let mut service = EchoServer::new(EchoService)
        .max_decoding_message_size(MAX_MESSAGE)
        .max_encoding_message_size(MAX_MESSAGE);
    match service.call(request).await {
        Ok(response) => response.map(|body| body.map_err(Into::into).boxed_unsync()),
        Err(never) => match never {},
    }
}

struct EchoService;

fn echoed(request: EchoRequest, index: u32) -> EchoResponse {
    EchoResponse { text: request.text, index, payload: request.payload }
}

fn failure(code: i32) -> Status {
    let mut status = Status::new(Code::from_i32(code), "the upstream fails as asked");
    status.metadata_mut().insert("x-failure", "as asked".parse().unwrap());
    status
}

#[tonic::async_trait]
impl Echo for EchoService {
    async fn unary(&self, request: Request<EchoRequest>) -> Result<Response<EchoResponse>, Status> {
        let sent = request.metadata().get("x-sent").cloned();
        let request = request.into_inner();
        if request.fail_with != 0 {
            return Err(failure(request.fail_with));
        }
        let mut response = Response::new(echoed(request, 0));
        response.metadata_mut().insert("x-upstream", "creto-test".parse().unwrap());
        if let Some(sent) = sent {
            response.metadata_mut().insert("x-sent-back", sent);
        }
        Ok(response)
    }

    type ServerStreamStream = Answers;

    async fn server_stream(&self, request: Request<EchoRequest>) -> Result<Response<Answers>, Status> {
        let request = request.into_inner();
        let every = Duration::from_millis(u64::from(request.interval_ms));
        let end = (request.fail_with != 0).then(|| Err(failure(request.fail_with)));
        let answers = stream::iter(0..request.count).then(move |index| {
            let answer = echoed(request.clone(), index);
            async move {
                if index > 0 && !every.is_zero() {
                    tokio::time::sleep(every).await;
                }
                Ok(answer)
            }
        });
        Ok(Response::new(Box::pin(answers.chain(stream::iter(end)))))
    }

    async fn client_stream(
        &self,
        request: Request<Streaming<EchoRequest>>,
    ) -> Result<Response<EchoResponse>, Status> {
        let mut requests = request.into_inner();
        let (mut text, mut index) = (String::new(), 0);
        while let Some(request) = requests.message().await? {
            text.push_str(&request.text);
            index += 1;
        }
        Ok(Response::new(EchoResponse { text, index, payload: Vec::new() }))
    }

    type BothWaysStream = Answers;

    async fn both_ways(&self, request: Request<Streaming<EchoRequest>>) -> Result<Response<Answers>, Status> {
        let answers = request.into_inner().enumerate().map(|(index, request)| {
            let request = request?;
            match request.fail_with {
                0 => Ok(echoed(request, u32::try_from(index).unwrap_or(u32::MAX))),
                code => Err(failure(code)),
            }
        });
        Ok(Response::new(Box::pin(answers)))
    }
}
