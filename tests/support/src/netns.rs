//! A network namespace whose outgoing connections are redirected to a sidecar inside it.
//!
//! The host side of a veth pair is where upstreams listen; the agent and the sidecar are inside. The sidecar runs
//! under its own user, and that user's connections are the only ones that are not redirected.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::hosts::UPSTREAM_NAME;

/// User of a sidecar inside a [`TestNetwork`].
pub const SIDECAR_UID: u32 = 1500;
/// Where the redirect leads.
const TRANSPARENT_PORT: u16 = 15006;
/// Networks that may exist at once: 10.213.0.0/16 in pieces of four addresses, as far as one byte counts.
const NETWORKS: u8 = 63;

/// A namespace; removed when dropped, with its veth pair.
pub struct TestNetwork {
    handle: NetworkHandle,
    // Held while the network's number is in use.
    _number: File,
}

#[derive(Clone)]
pub(crate) struct NetworkHandle(Arc<Inner>);

struct Inner {
    name: String,
    host_side: Ipv4Addr,
    inside: Ipv4Addr,
}

impl TestNetwork {
    /// Makes a namespace with the redirect; needs root, `ip` and `nft`.
    #[must_use]
    pub fn new() -> Self {
        let (number, lock) = free_number();
        let name = format!("creto-test-{number}");
        let host_side = Ipv4Addr::new(10, 213, 77, number * 4 + 1);
        let inside = Ipv4Addr::new(10, 213, 77, number * 4 + 2);
        let (outer, inner) = (format!("creto-h{number}"), format!("creto-a{number}"));
        // Left by a killed test.
        quietly(&["ip", "netns", "del", &name]);
        quietly(&["ip", "link", "del", &outer]);
        run(&["ip", "netns", "add", &name]);
        let handle = NetworkHandle(Arc::new(Inner { name: name.clone(), host_side, inside }));
        run(&["ip", "link", "add", &outer, "type", "veth", "peer", "name", &inner, "netns", &name]);
        run(&["ip", "addr", "add", &format!("{host_side}/30"), "dev", &outer]);
        run(&["ip", "link", "set", &outer, "up"]);
        run(&["ip", "-n", &name, "addr", "add", &format!("{inside}/30"), "dev", &inner]);
        run(&["ip", "-n", &name, "link", "set", &inner, "up"]);
        run(&["ip", "-n", &name, "link", "set", "lo", "up"]);
        run(&["ip", "-n", &name, "route", "add", "default", "via", &host_side.to_string()]);
        let rules = format!(
            "add table inet creto\n\
             add chain inet creto output {{ type nat hook output priority -100 ; }}\n\
             add rule inet creto output meta skuid {SIDECAR_UID} accept\n\
             add rule inet creto output oif lo accept\n\
             add rule inet creto output meta l4proto tcp redirect to :{TRANSPARENT_PORT}\n"
        );
        run(&["ip", "netns", "exec", &name, "nft", &rules]);
        // `ip netns exec` lays these over /etc.
        let folder = PathBuf::from("/etc/netns").join(&name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("hosts"), format!("127.0.0.1 localhost\n{host_side} {UPSTREAM_NAME}\n"))
            .unwrap();
        std::fs::write(folder.join("resolv.conf"), "").unwrap();
        Self { handle, _number: lock }
    }

    /// Name of the namespace.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.handle.0.name
    }

    /// Where upstreams listen: reachable from inside, also as [`UPSTREAM_NAME`].
    #[must_use]
    pub fn host_side(&self) -> IpAddr {
        self.handle.0.host_side.into()
    }

    /// The agent's own address.
    #[must_use]
    pub fn inside(&self) -> IpAddr {
        self.handle.0.inside.into()
    }

    /// What to put in front of an agent's command: `ip netns exec NAME`.
    #[must_use]
    pub fn agent_command(&self) -> Vec<String> {
        ["ip", "netns", "exec", self.name()].map(str::to_owned).to_vec()
    }

    /// A TCP connection from inside.
    ///
    /// # Errors
    /// As `connect(2)`.
    pub async fn connect(&self, address: SocketAddr) -> std::io::Result<TcpStream> {
        self.handle.connect(address).await
    }

    pub(crate) fn handle(&self) -> NetworkHandle {
        self.handle.clone()
    }

    pub(crate) fn transparent_listen(&self) -> String {
        format!("127.0.0.1:{TRANSPARENT_PORT}")
    }

    pub(crate) fn sidecar_command(&self) -> Vec<String> {
        let mut words = self.agent_command();
        let user = SIDECAR_UID.to_string();
        words.extend(["setpriv", "--reuid", &user, "--regid", &user, "--clear-groups"].map(str::to_owned));
        words
    }

    /// Gives the sidecar's user what it needs: a copy of the program it may execute, and its folders.
    pub(crate) fn hand_over(&self, program: &Path, folder: &Path, state: &Path) -> PathBuf {
        let copy = folder.join("creto-proxy");
        std::fs::copy(program, &copy).unwrap();
        std::fs::set_permissions(folder, PermissionsExt::from_mode(0o755)).unwrap();
        for entry in std::fs::read_dir(folder).unwrap() {
            chown(entry.unwrap().path(), Some(SIDECAR_UID), Some(SIDECAR_UID)).unwrap();
        }
        chown(state, Some(SIDECAR_UID), Some(SIDECAR_UID)).unwrap();
        copy
    }

    /// Makes a port of the host's 127.0.0.1 reachable at the same place inside.
    pub(crate) fn forward_to_host(&self, port: u16) -> Forward {
        let listener = self
            .handle
            .inside_of(move || std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)))
            .unwrap_or_else(|e| panic!("port {port} is taken inside the namespace: {e}"));
        listener.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        Forward(tokio::spawn(async move {
            let mut running = tokio::task::JoinSet::new();
            while let Ok((mut inside, _)) = listener.accept().await {
                running.spawn(async move {
                    if let Ok(mut outside) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
                        tokio::io::copy_bidirectional(&mut inside, &mut outside).await.ok();
                    }
                });
            }
        }))
    }
}

impl Default for TestNetwork {
    fn default() -> Self {
        Self::new()
    }
}

impl NetworkHandle {
    pub(crate) async fn connect(&self, address: SocketAddr) -> std::io::Result<TcpStream> {
        let handle = self.clone();
        let connect = move || handle.inside_of(move || std::net::TcpStream::connect(address));
        let stream = tokio::task::spawn_blocking(connect).await.unwrap()?;
        stream.set_nonblocking(true)?;
        TcpStream::from_std(stream)
    }

    pub(crate) fn resolve(&self, host: &str) -> Option<IpAddr> {
        (host == UPSTREAM_NAME).then_some(self.0.host_side.into())
    }

    /// Runs a function on a thread inside the namespace: the sockets it makes stay there.
    fn inside_of<T: Send + 'static>(&self, function: impl FnOnce() -> T + Send + 'static) -> T {
        let file = File::open(format!("/run/netns/{}", self.0.name)).unwrap();
        let inside = std::thread::spawn(move || {
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            function()
        });
        inside.join().unwrap()
    }
}

/// A forwarded port; ends when dropped.
pub(crate) struct Forward(JoinHandle<()>);

impl Drop for Forward {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The veth pair goes with its inner end.
        quietly(&["ip", "netns", "del", &self.name]);
        std::fs::remove_dir_all(PathBuf::from("/etc/netns").join(&self.name)).ok();
    }
}

/// A number that no other running test has.
fn free_number() -> (u8, File) {
    for number in 0..NETWORKS {
        let file =
            File::create(std::env::temp_dir().join(format!("creto-test-network-{number}.lock"))).unwrap();
        if file.try_lock().is_ok() {
            return (number, file);
        }
    }
    panic!("all {NETWORKS} test networks are in use");
}

fn run(words: &[&str]) {
    let output = Command::new(words[0]).args(&words[1..]).output();
    let output = output.unwrap_or_else(|e| panic!("{} cannot be started: {e}", words[0]));
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn quietly(words: &[&str]) {
    Command::new(words[0]).args(&words[1..]).output().ok();
}
