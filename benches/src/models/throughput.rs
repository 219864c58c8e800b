//! How fast bytes are read on one core: by the scanners, by the classifier, by the scrubber.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use creto_classify::{Endpoint, Known, Meanings};
use creto_credentials::{Credential, CredentialKind, Injector, SecretSource};
use creto_metering::{Encoding, Ending, Scanner, Settled};
use http::{HeaderMap, HeaderValue};

use crate::models::answers::{Body, TOLD, event_streams, gzip, json_answers, long_request, streams};
use crate::models::secret;
use crate::report::Report;
use crate::timing::median;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Bytes that come at once: those of a TLS record.
const PIECE: usize = 16 * 1024;
const ROUNDS: usize = 5;
/// Least time of a round.
const ROUND: Duration = Duration::from_millis(200);

pub(crate) fn measure(report: &mut Report) -> Outcome<()> {
    for (name, bodies) in [("json", json_answers()), ("sse", streams()), ("eventstream", event_streams())] {
        scan(report, name, &bodies, Encoding::Identity)?;
    }
    let plain: Vec<Body> = json_answers().into_iter().chain(streams()).collect();
    scan(report, "gzip", &plain, Encoding::Gzip)?;
    classify(report)?;
    scrub(report)
}

fn scan(report: &mut Report, name: &str, bodies: &[Body], encoding: Encoding) -> Outcome<()> {
    let gzipped = encoding == Encoding::Gzip;
    // Added over the bodies, for one decoded byte of each: bytes that come in, and nanoseconds.
    let (mut came, mut took) = (0.0, 0.0);
    let mut said = Vec::new();
    for body in bodies {
        let coded = if gzipped { gzip(&body.bytes)? } else { body.bytes.clone() };
        check(body, &settle(body, &coded, encoding))?;
        let share = coded.len() as f64 / body.bytes.len() as f64;
        let rate = bytes_per_second(coded.len(), || settle(body, &coded, encoding)) / 1e9;
        let read = body.bytes.len() / 1024;
        said.push(match gzipped {
            true => format!("{} {} of {read} KiB {rate:.2}", body.name, coded.len() / 1024),
            false => format!("{} {read} KiB {rate:.2}", body.name),
        });
        came += share;
        took += share / rate;
    }
    let note = format!("pieces of 16 KiB, one core, as many decoded bytes of each: {}", said.join("; "));
    let what = if gzipped { "compressed bytes in, " } else { "" };
    report.add(&format!("models.scan_{name}_gb_s"), came / took, "GB/s", format!("{what}{note}"));
    if gzipped {
        let note = "the same, by the bytes that come out";
        report.add("models.scan_gzip_decoded_gb_s", bodies.len() as f64 / took, "GB/s", note);
    }
    Ok(())
}

fn settle(body: &Body, coded: &[u8], encoding: Encoding) -> Settled {
    let mut scanner = Scanner::new(body.shape, body.framing, encoding);
    for piece in coded.chunks(PIECE) {
        scanner.push(piece);
    }
    scanner.finish(Ending::Complete, 1000)
}

/// A scanner that gives up early would be fast.
fn check(body: &Body, settled: &Settled) -> Outcome<()> {
    let usage = &settled.usage;
    let output = if body.name == "embeddings" { 0 } else { TOLD.1 };
    if usage.estimated || (usage.input_total(), usage.output_total()) != (TOLD.0, output) {
        return Err(format!("{} settles as {settled:?}", body.name).into());
    }
    Ok(())
}

fn classify(report: &mut Report) -> Outcome<()> {
    let body = long_request(5 << 20);
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    let read = || {
        let known = Known::default();
        let endpoint = Endpoint::of("POST", "api.openai.com", "/v1/chat/completions", "", &headers, known);
        endpoint.read(&headers, body.as_bytes())
    };
    match read() {
        Ok(Meanings::Model(call))
            if call.model.as_deref() == Some("gpt-5-mini") && call.tools.len() == 16 => {}
        other => return Err(format!("a long request is read as {other:?}").into()),
    }
    let rate = bytes_per_second(body.len(), read) / 1e6;
    let note = format!("a chat request of 5 MiB in turns of 24 KiB, read whole: {:.1} ms", 5.24288e3 / rate);
    report.add("models.classify_5mb_mb_s", rate, "MB/s", note);
    Ok(())
}

fn scrub(report: &mut Report) -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let key = folder.path().join("key");
    std::fs::write(&key, secret())?;
    let credential = Credential {
        name: "bench".into(),
        kind: CredentialKind::Bearer,
        source: SecretSource::File(key),
        placeholder: "creto-placeholder-bench".into(),
        plain_http: false,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let injection = runtime.block_on(Injector::new(None, None, None).prepare(&credential))?;
    let answers: Vec<Bytes> =
        streams().into_iter().chain(json_answers()).map(|body| Bytes::from(body.bytes)).collect();
    let length: usize = answers.iter().map(Bytes::len).sum();
    let scrubbed = || {
        let (mut found, mut out) = (0, 0);
        for answer in &answers {
            let mut scrubber = injection.scrubber();
            for at in (0..answer.len()).step_by(PIECE) {
                out += black_box(scrubber.push(answer.slice(at..answer.len().min(at + PIECE)))).len();
            }
            out += scrubber.finish().len();
            found += scrubber.found();
        }
        (found, out)
    };
    if scrubbed() != (0, length) {
        return Err("the scrubber found what is not there".into());
    }
    let rate = bytes_per_second(length, scrubbed) / 1e9;
    let note = "the answers of the JSON and SSE rows, pieces of 16 KiB, one core, one API key of 152 bytes, not there";
    report.add("models.scrub_gb_s", rate, "GB/s", note);
    Ok(())
}

/// Median of rounds.
fn bytes_per_second<T>(bytes: usize, mut pass: impl FnMut() -> T) -> f64 {
    black_box(pass());
    let rounds = (0..ROUNDS).map(|_| {
        let (begun, mut passes) = (Instant::now(), 0_u32);
        while begun.elapsed() < ROUND {
            black_box(pass());
            passes += 1;
        }
        bytes as f64 * f64::from(passes) / begun.elapsed().as_secs_f64()
    });
    median(rounds.collect())
}
