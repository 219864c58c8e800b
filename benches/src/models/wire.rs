//! HTTP/1.1 over TLS with threads that block: what the measured times hold besides the sidecar stays small and even.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use creto_test_support::{DetachedSidecar, client_tls};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection, StreamOwned};

/// Longest silence.
const SILENCE: Duration = Duration::from_secs(60);
/// Largest TLS record.
const RECORD: usize = 16 * 1024;

/// One connection, either side of it.
pub(crate) struct Wire<S> {
    stream: S,
    /// What came and was not taken.
    came: Vec<u8>,
    piece: Box<[u8; RECORD]>,
}

pub(crate) type ClientWire = Wire<StreamOwned<ClientConnection, TcpStream>>;
pub(crate) type ServerWire = Wire<StreamOwned<ServerConnection, TcpStream>>;

/// Where a client connects.
#[derive(Clone)]
pub(crate) struct Way {
    to: SocketAddr,
    tls: Arc<ClientConfig>,
    /// Host and port of a tunnel that is asked for first.
    tunnel: Option<String>,
}

impl Way {
    pub(crate) fn direct(port: u16, ca_pem: &str) -> Self {
        let tls = Arc::new(client_tls(ca_pem, &["http/1.1"]));
        Self { to: SocketAddr::from(([127, 0, 0, 1], port)), tls, tunnel: None }
    }

    pub(crate) fn through(sidecar: &DetachedSidecar, port: u16) -> Self {
        let tls = Arc::new(client_tls(&sidecar.ca_pem(), &["http/1.1"]));
        Self { to: sidecar.proxy(), tls, tunnel: Some(format!("localhost:{port}")) }
    }

    pub(crate) fn connect(&self) -> io::Result<ClientWire> {
        let mut stream = dressed(TcpStream::connect(self.to)?)?;
        if let Some(target) = &self.tunnel {
            stream.write_all(format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n\r\n").as_bytes())?;
            let mut answer = Vec::new();
            // Byte by byte: what follows is TLS.
            while !answer.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte)?;
                answer.push(byte[0]);
            }
            if !answer.starts_with(b"HTTP/1.1 200") {
                return Err(io::Error::other(String::from_utf8_lossy(&answer).into_owned()));
            }
        }
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        let mut tls = ClientConnection::new(Arc::clone(&self.tls), name).map_err(io::Error::other)?;
        while tls.is_handshaking() {
            tls.complete_io(&mut stream)?;
        }
        Ok(Wire::new(StreamOwned::new(tls, stream)))
    }
}

pub(crate) fn accept(stream: TcpStream, tls: Arc<ServerConfig>) -> io::Result<ServerWire> {
    let tls = ServerConnection::new(tls).map_err(io::Error::other)?;
    Ok(Wire::new(StreamOwned::new(tls, dressed(stream)?)))
}

fn dressed(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(SILENCE))?;
    stream.set_write_timeout(Some(SILENCE))?;
    Ok(stream)
}

impl<S: Read + Write> Wire<S> {
    fn new(stream: S) -> Self {
        Self { stream, came: Vec::new(), piece: Box::new([0; RECORD]) }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// Waits for more; false when the other side ended.
    pub(crate) fn wait(&mut self) -> io::Result<bool> {
        let got = self.stream.read(self.piece.as_mut_slice())?;
        self.came.extend_from_slice(&self.piece[..got]);
        Ok(got > 0)
    }

    /// Waits until this has come; how far it reaches.
    pub(crate) fn wait_for(&mut self, wanted: &[u8]) -> io::Result<usize> {
        let mut searched = 0;
        loop {
            let found = self.came[searched..].windows(wanted.len()).position(|at| at == wanted);
            if let Some(at) = found {
                return Ok(searched + at + wanted.len());
            }
            searched = self.came.len().saturating_sub(wanted.len());
            if !self.wait()? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Takes the first bytes of what came.
    pub(crate) fn take(&mut self, count: usize) -> Vec<u8> {
        let rest = self.came.split_off(count);
        std::mem::replace(&mut self.came, rest)
    }

    /// The head of the next message, in lower case.
    pub(crate) fn head(&mut self) -> io::Result<String> {
        let end = self.wait_for(b"\r\n\r\n")?;
        Ok(String::from_utf8_lossy(&self.take(end)).to_ascii_lowercase())
    }

    /// An answer that is not 200, in words.
    pub(crate) fn refused(&mut self, head: &str) -> io::Error {
        let mut words = head.to_owned().into_bytes();
        match length(head).and_then(|length| self.body(length, |piece| words.extend_from_slice(piece))) {
            Ok(()) => io::Error::other(String::from_utf8_lossy(&words).into_owned()),
            Err(error) => error,
        }
    }

    /// Gives a body of this length to `piece` as it comes.
    pub(crate) fn body(&mut self, length: usize, mut piece: impl FnMut(&[u8])) -> io::Result<()> {
        let mut left = length;
        loop {
            let here = left.min(self.came.len());
            piece(&self.came[..here]);
            self.came.drain(..here);
            left -= here;
            if left == 0 {
                return Ok(());
            }
            if !self.wait()? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// The value of a header in a head that is in lower case.
pub(crate) fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// Length of a message's body.
pub(crate) fn length(head: &str) -> io::Result<usize> {
    header(head, "content-length")
        .and_then(|value| value.parse().ok())
        .ok_or_else(|| io::Error::other(format!("no length in {head}")))
}
