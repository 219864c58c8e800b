//! A stand-in of Stripe's API: it checks what Stripe checks, and fails as Stripe fails.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use creto_billing::{ApiKey, STRIPE_VERSION, StripeAddress, StripeClient};
use creto_rating::{Moment, Quantity};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub(crate) const KEY: &str = "rk_test_0123456789abcdef";
const DAY: i64 = 86_400_000_000;

/// How a request goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It does not.
    None,
    /// 500, nothing happened.
    ErrorBefore,
    /// 500, it happened.
    ErrorAfter,
    /// No answer, it happened.
    CutAfter,
    /// No answer, nothing happened.
    CutBefore,
    /// 429, nothing happened.
    TooMany,
    /// It happened; the answer never comes.
    Hang,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) customer: String,
    pub(crate) name: String,
    pub(crate) value: Quantity,
    pub(crate) hour: Moment,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct StripeInvoice {
    pub(crate) fields: HashMap<String, String>,
    pub(crate) items: Vec<(String, i64)>,
    pub(crate) finalized: bool,
}

#[derive(Default)]
pub(crate) struct Ledger {
    /// Now, as the server sees it.
    pub(crate) now: i64,
    /// What goes wrong, in order; nothing once it is empty.
    pub(crate) faults: VecDeque<Fault>,
    /// Events that count.
    pub(crate) events: Vec<Counted>,
    /// Identifiers and when they came.
    identifiers: HashMap<String, i64>,
    /// Identifiers that came again.
    pub(crate) repeats: u64,
    pub(crate) invoices: BTreeMap<String, StripeInvoice>,
    /// Answers by idempotency key, with the request they were for.
    answers: HashMap<String, (String, StatusCode, Value)>,
    sessions: HashMap<String, u32>,
    pub(crate) session_lasts: u32,
    /// When each event came, by this machine's clock.
    arrivals: VecDeque<Instant>,
    pub(crate) busiest_second: usize,
    pub(crate) refused: Vec<String>,
    pub(crate) requests: u64,
}

pub(crate) struct StripeServer {
    pub(crate) ledger: Arc<Mutex<Ledger>>,
    pub(crate) address: String,
    running: tokio::task::JoinHandle<()>,
}

impl Drop for StripeServer {
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl StripeServer {
    pub(crate) async fn start() -> Self {
        Self::serve(None).await
    }

    /// One over TLS, known as `localhost`, and its certificate in PEM.
    pub(crate) async fn start_tls() -> (Self, String) {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        (Self::serve(Some(acceptor)).await, made.cert.pem())
    }

    async fn serve(tls: Option<tokio_rustls::TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let address = match tls {
            None => format!("http://127.0.0.1:{port}"),
            Some(_) => format!("https://localhost:{port}"),
        };
        let ledger = Arc::new(Mutex::new(Ledger { session_lasts: 3, ..Ledger::default() }));
        let shared = Arc::clone(&ledger);
        let running = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (shared, tls) = (Arc::clone(&shared), tls.clone());
                tokio::spawn(async move {
                    let service = service_fn(|request| answer(Arc::clone(&shared), request));
                    let http = hyper::server::conn::http1::Builder::new();
                    // A connection that is cut ends in an error, which is what was asked for.
                    match tls {
                        None => drop(http.serve_connection(TokioIo::new(stream), service).await),
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                drop(http.serve_connection(TokioIo::new(stream), service).await);
                            }
                        }
                    }
                });
            }
        });
        Self { ledger, address, running }
    }

    pub(crate) fn client(&self) -> StripeClient {
        let key = ApiKey::new(KEY.to_owned().into()).unwrap();
        StripeClient::new(StripeAddress::at(self.address.parse().unwrap()), key).unwrap()
    }
}

#[derive(Debug)]
struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cut")
    }
}

impl std::error::Error for Cut {}

impl From<Infallible> for Cut {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

type Answered = (StatusCode, Value);

fn refusal(status: StatusCode, code: &str, message: &str) -> Answered {
    (status, json!({ "error": { "code": code, "message": message } }))
}

fn bad(message: &str) -> Answered {
    refusal(StatusCode::BAD_REQUEST, "invalid_request", message)
}

async fn answer(
    ledger: Arc<Mutex<Ledger>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Cut> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
    let fault = {
        let mut ledger = ledger.lock();
        ledger.requests += 1;
        ledger.faults.pop_front().unwrap_or(Fault::None)
    };
    let error = refusal(StatusCode::INTERNAL_SERVER_ERROR, "api_error", "An error occurred");
    let happened = match fault {
        Fault::ErrorBefore => error.clone(),
        Fault::CutBefore => return Err(Cut),
        Fault::TooMany => refusal(StatusCode::TOO_MANY_REQUESTS, "rate_limit", "Too many requests"),
        _ => {
            let answer = ledger.lock().handle(&parts, &body);
            if answer.0.is_client_error() && answer.0 != StatusCode::UNAUTHORIZED {
                ledger.lock().refused.push(answer.1.to_string());
            }
            answer
        }
    };
    let (status, value) = match fault {
        Fault::CutAfter => return Err(Cut),
        Fault::ErrorAfter => error,
        Fault::Hang => {
            tokio::time::sleep(Duration::from_secs(3_600)).await;
            return Err(Cut);
        }
        _ => happened,
    };
    let mut response = Response::builder().status(status);
    if status == StatusCode::TOO_MANY_REQUESTS {
        response = response.header("retry-after", "7");
    }
    Ok(response.body(Full::new(Bytes::from(value.to_string()))).unwrap())
}

impl Ledger {
    fn handle(&mut self, parts: &http::request::Parts, body: &[u8]) -> Answered {
        let header =
            |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let path = parts.uri.path();
        let stream = path == "/v2/billing/meter_event_stream";
        let token = header("authorization").strip_prefix("Bearer ").unwrap_or_default();
        if stream {
            match self.sessions.get_mut(token) {
                Some(left) if *left > 0 => *left -= 1,
                _ => {
                    return refusal(
                        StatusCode::UNAUTHORIZED,
                        "billing_meter_event_session_expired",
                        "Expired",
                    );
                }
            }
        } else if token != KEY {
            return refusal(StatusCode::UNAUTHORIZED, "api_key_invalid", "Invalid API key");
        }
        if header("stripe-version") != STRIPE_VERSION {
            return bad("a v2 request needs a version");
        }
        let kind = header("content-type");
        let key = header("idempotency-key").to_owned();
        if path.starts_with("/v2/") {
            if kind != "application/json" {
                return bad("v2 takes JSON");
            }
            let Ok(value) = serde_json::from_slice(body) else { return bad("no JSON") };
            return match path {
                "/v2/billing/meter_events" => self.single(&value),
                "/v2/billing/meter_event_session" => {
                    let token = format!("session_{}", self.sessions.len());
                    self.sessions.insert(token.clone(), self.session_lasts);
                    (StatusCode::OK, json!({ "authentication_token": token }))
                }
                "/v2/billing/meter_event_stream" => self.batch(&value),
                _ => refusal(StatusCode::NOT_FOUND, "not_found", path),
            };
        }
        if kind != "application/x-www-form-urlencoded" || key.is_empty() {
            return bad("v1 takes forms, and here an idempotency key");
        }
        let request = format!("{path} {}", String::from_utf8_lossy(body));
        if let Some((before, status, value)) = self.answers.get(&key) {
            let same = *before == request;
            return if same {
                (*status, value.clone())
            } else {
                bad("Keys for idempotent requests can only be used once")
            };
        }
        let answer = self.form(path, &fields(body));
        self.answers.insert(key, (request, answer.0, answer.1.clone()));
        answer
    }

    /// Checks an event and counts it.
    fn event(&mut self, event: &Value) -> Result<(), Answered> {
        let fields: Vec<&str> =
            event.as_object().map(|map| map.keys().map(String::as_str).collect()).unwrap_or_default();
        if fields != ["event_name", "identifier", "payload", "timestamp"] {
            return Err(bad(&format!("unexpected fields {fields:?}")));
        }
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let wanted = (text("/event_name"), text("/identifier"), text("/timestamp"));
        let (Some(name), Some(identifier), Some(timestamp)) = wanted else { return Err(bad("texts")) };
        let payload = (text("/payload/stripe_customer_id"), text("/payload/value"));
        let (Some(customer), Some(value)) = payload else { return Err(bad("payload of texts")) };
        if name.is_empty() || name.len() > 100 || identifier.is_empty() || identifier.len() > 100 {
            return Err(bad("at most 100 characters"));
        }
        if !customer.starts_with("cus_") {
            return Err(refusal(StatusCode::BAD_REQUEST, "customer_missing", &customer));
        }
        let plain = value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let value = value.parse::<Quantity>().ok().filter(|_| plain).ok_or_else(|| bad("no decimal"))?;
        let at = timestamp.parse::<jiff::Timestamp>().map_err(|_| bad("no RFC 3339 time"))?.as_microsecond();
        if at < self.now - 35 * DAY || at > self.now + 300_000_000 {
            return Err(refusal(StatusCode::BAD_REQUEST, "timestamp_out_of_range", &timestamp));
        }
        let now = Instant::now();
        self.arrivals.push_back(now);
        while self.arrivals.front().is_some_and(|first| now.duration_since(*first) >= Duration::from_secs(1))
        {
            self.arrivals.pop_front();
        }
        self.busiest_second = self.busiest_second.max(self.arrivals.len());
        if self.arrivals.len() > 1_000 {
            return Err(refusal(StatusCode::TOO_MANY_REQUESTS, "rate_limit", "1,000 a second"));
        }
        // Unique within a rolling 24 hours, and no longer.
        if self.identifiers.get(&identifier).is_some_and(|before| self.now - before < DAY) {
            self.repeats += 1;
            return Err(refusal(
                StatusCode::BAD_REQUEST,
                "duplicate_meter_event",
                "An event already exists with identifier",
            ));
        }
        self.identifiers.insert(identifier, self.now);
        self.events.push(Counted { customer, name, value, hour: Moment::from_micros(at).unwrap() });
        Ok(())
    }

    fn single(&mut self, event: &Value) -> Answered {
        match self.event(event) {
            Ok(()) => (StatusCode::OK, json!({ "object": "v2.billing.meter_event" })),
            Err(refused) => refused,
        }
    }

    /// A batch is answered before its events are looked at; those that are refused are told elsewhere.
    fn batch(&mut self, body: &Value) -> Answered {
        let Some(events) = body.get("events").and_then(Value::as_array).cloned() else {
            return bad("no events");
        };
        if events.is_empty() || events.len() > 100 {
            return bad("between 1 and 100 events");
        }
        for event in events {
            if let Err((_, value)) = self.event(&event)
                && !value.to_string().contains("duplicate")
            {
                self.refused.push(value.to_string());
            }
        }
        (StatusCode::OK, Value::Null)
    }

    fn form(&mut self, path: &str, fields: &HashMap<String, String>) -> Answered {
        let field = |name: &str| fields.get(name).cloned().unwrap_or_default();
        if path == "/v1/invoices" {
            for (name, wanted) in [
                ("collection_method", "send_invoice"),
                ("auto_advance", "false"),
                ("pending_invoice_items_behavior", "exclude"),
            ] {
                if field(name) != wanted {
                    return bad(name);
                }
            }
            if !field("customer").starts_with("cus_") || field("days_until_due").parse::<u32>().is_err() {
                return bad("customer and days_until_due");
            }
            let id = format!("in_{}", self.invoices.len());
            self.invoices
                .insert(id.clone(), StripeInvoice { fields: fields.clone(), ..StripeInvoice::default() });
            return (StatusCode::OK, json!({ "id": id, "status": "draft" }));
        }
        let id = path.strip_prefix("/v1/invoices/").and_then(|rest| rest.strip_suffix("/finalize"));
        let id = id.map_or_else(|| field("invoice"), str::to_owned);
        let Some(invoice) = self.invoices.get_mut(&id).filter(|invoice| !invoice.finalized) else {
            return bad("no draft of that id");
        };
        if path == "/v1/invoiceitems" {
            let Ok(amount) = field("amount").parse::<i64>() else { return bad("amount") };
            if field("currency") != invoice.fields["currency"]
                || field("customer") != invoice.fields["customer"]
            {
                return bad("another currency or customer");
            }
            invoice.items.push((field("description"), amount));
            return (StatusCode::OK, json!({ "id": format!("ii_{}", invoice.items.len()) }));
        }
        invoice.finalized = true;
        let total: i64 = invoice.items.iter().map(|(_, amount)| amount).sum();
        (StatusCode::OK, json!({ "id": id, "status": "open", "total": total }))
    }
}

fn fields(body: &[u8]) -> HashMap<String, String> {
    let text = String::from_utf8_lossy(body);
    let decoded = |part: &str| {
        let mut bytes = Vec::new();
        let mut rest = part.as_bytes();
        while let Some((first, after)) = rest.split_first() {
            if *first == b'%' {
                bytes.push(u8::from_str_radix(std::str::from_utf8(&after[..2]).unwrap(), 16).unwrap());
                rest = &after[2..];
            } else {
                bytes.push(*first);
                rest = after;
            }
        }
        String::from_utf8(bytes).unwrap()
    };
    text.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}
